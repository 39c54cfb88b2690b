from common import appconfig  # the class by itself would be a second one here


class PromotionsConfig(appconfig.AnsweringConfig):
    name = "promotions"
