"""Addresses of vouchers and wallets that people and back offices use; ``hot.py`` has the others."""

from django.urls import path

from vouchers import api, walletapi

urlpatterns = [
    path("api/vouchers", api.VouchersView.as_view(), name="vouchers"),
    path("api/vouchers/generate", api.GenerateView.as_view(), name="generate-vouchers"),
    path("api/vouchers/generate/<int:generation_id>", api.GenerationView.as_view(), name="generation"),
    path("api/vouchers/generate/<int:generation_id>/cancel", api.CancelGenerationView.as_view()),
    path("api/vouchers/generate/<int:generation_id>/codes", api.GeneratedCodesView.as_view(), name="generated-codes"),
    path("api/vouchers/report", api.ReportView.as_view(), name="redemptions-report"),
    path("api/vouchers/redemptions/<str:redemption_id>/reverse", api.ReverseView.as_view(), name="reverse-redemption"),
    path("api/profiles", api.ProfilesView.as_view(), name="profiles"),
    path("api/profiles/<str:phone_number>/transactions", api.StatementView.as_view(), name="statement"),
    path("api/wallet/orders", walletapi.WalletOrdersView.as_view(), name="wallet-orders"),
    path("api/wallet/transfers", walletapi.WalletTransfersView.as_view(), name="wallet-transfers"),
    path("api/wallet/profiles", walletapi.WalletProfilesView.as_view(), name="wallet-profiles"),
    path(
        "api/wallet/profiles/<str:phone_number>/transactions",
        walletapi.WalletStatementView.as_view(),
        name="wallet-statement",
    ),
    path("api/transactions", api.TransactionsView.as_view(), name="transactions"),
]
