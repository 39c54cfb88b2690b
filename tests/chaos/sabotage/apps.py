from django.apps import AppConfig


class HandOverConfig(AppConfig):
    name = "tests.chaos.sabotage"
    label = "sabotage_hand_over"

    def ready(self) -> None:
        from tests.chaos.sabotage.flushing import take_away_first

        take_away_first()


class ResumeUnlockedConfig(AppConfig):
    name = "tests.chaos.sabotage"
    label = "sabotage_resume_unlocked"

    def ready(self) -> None:
        from tests.chaos.sabotage.flushing import resume_at_the_start
        from tests.chaos.sabotage.redeeming import redeem_without_locks

        resume_at_the_start()
        redeem_without_locks()
