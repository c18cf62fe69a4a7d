"""Money as the operator sees it: payments, refunds, what gateways told, revenue and margins."""
