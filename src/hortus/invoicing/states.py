"""The states of India as the goods and services tax knows them: code, letters, name."""

STATES: dict[str, tuple[str, str]] = {
    "01": ("JK", "Jammu and Kashmir"),
    "02": ("HP", "Himachal Pradesh"),
    "03": ("PB", "Punjab"),
    "04": ("CH", "Chandigarh"),
    "05": ("UK", "Uttarakhand"),
    "06": ("HR", "Haryana"),
    "07": ("DL", "Delhi"),
    "08": ("RJ", "Rajasthan"),
    "09": ("UP", "Uttar Pradesh"),
    "10": ("BR", "Bihar"),
    "11": ("SK", "Sikkim"),
    "12": ("AR", "Arunachal Pradesh"),
    "13": ("NL", "Nagaland"),
    "14": ("MN", "Manipur"),
    "15": ("MZ", "Mizoram"),
    "16": ("TR", "Tripura"),
    "17": ("ML", "Meghalaya"),
    "18": ("AS", "Assam"),
    "19": ("WB", "West Bengal"),
    "20": ("JH", "Jharkhand"),
    "21": ("OD", "Odisha"),
    "22": ("CG", "Chhattisgarh"),
    "23": ("MP", "Madhya Pradesh"),
    "24": ("GJ", "Gujarat"),
    "26": ("DH", "Dadra and Nagar Haveli and Daman and Diu"),
    "27": ("MH", "Maharashtra"),
    "29": ("KA", "Karnataka"),
    "30": ("GA", "Goa"),
    "31": ("LD", "Lakshadweep"),
    "32": ("KL", "Kerala"),
    "33": ("TN", "Tamil Nadu"),
    "34": ("PY", "Puducherry"),
    "35": ("AN", "Andaman and Nicobar Islands"),
    "36": ("TS", "Telangana"),
    "37": ("AP", "Andhra Pradesh"),
    "38": ("LA", "Ladakh"),
    "97": ("OT", "Other Territory"),
}
WITHOUT_LEGISLATURE = frozenset({"04", "26", "31", "35", "38", "97"})
"""Union territories whose half of the tax is called UTGST."""
_BY_WORD = {word.casefold(): code for code, words in STATES.items() for word in (code, *words)}


def code_of(text: str) -> str | None:
    """The code of a state given as its code, its letters or its name; None for none of them."""
    return _BY_WORD.get(text.strip().casefold())


def name_of(code: str) -> str:
    """`27` -> `Maharashtra`."""
    return STATES[code][1]
