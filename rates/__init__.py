"""Rates: the average price per day between ports and regions, exact and fast at any number of prices.

Prices are raw observations in USD. Sums and counts per day are kept beside them at four levels, in the transaction that
adds or deletes prices or moves a port, by triggers; so no answer is older than the prices, and none reads them to
average.
"""
