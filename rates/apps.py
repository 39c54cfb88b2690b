from common import appconfig  # the class by itself would be a second one here


class RatesConfig(appconfig.AnsweringConfig):
    name = "rates"
