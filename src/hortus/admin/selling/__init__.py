"""Plans and packs on sale, in versions."""
