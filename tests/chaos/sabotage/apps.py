from django.apps import AppConfig


class HandOverConfig(AppConfig):
    name = "tests.chaos.sabotage"
    label = "sabotage_hand_over"

    def ready(self) -> None:
        from tests.chaos.sabotage.flushing import take_away_first

        take_away_first()


class ResumeConfig(AppConfig):
    name = "tests.chaos.sabotage"
    label = "sabotage_resume"

    def ready(self) -> None:
        from tests.chaos.sabotage.flushing import resume_at_the_start

        resume_at_the_start()


class UnlockedConfig(AppConfig):
    name = "tests.chaos.sabotage"
    label = "sabotage_unlocked"

    def ready(self) -> None:
        from tests.chaos.sabotage.redeeming import redeem_without_locks

        redeem_without_locks()
