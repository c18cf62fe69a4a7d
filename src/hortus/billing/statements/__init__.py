"""Reports for a customer's bookkeeping: the table of payments of a year, and the monthly statement."""
