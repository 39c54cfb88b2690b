from common import appconfig  # the class by itself would be a second one here


class GatewayConfig(appconfig.AnsweringConfig):
    name = "gateway"
