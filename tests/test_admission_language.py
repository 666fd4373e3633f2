"""Languages of texts. Expected: what a reader says the language is."""

import socket

import polars as pl
import pytest

from connectors.admission.language import LanguageDetector

TEXTS = {
    "Le colis n'est jamais arrivé et personne ne répond au téléphone": "fr",
    "TRES DECU PAR LE SERVICE": "fr",
    "Personnel pas aimable": "fr",
    "My flight was cancelled and nobody could rebook me": "en",
    "Das ist ein sehr gutes Geschäft und ich komme gerne wieder": "de",
    "Tiempo de entrega demasiado largo, nunca más compro aquí": "es",
    "[Titre] le four ne marche pas [email]\nmerci de me rappeler": "fr",
    "": "und",
    "ok": "und",
    "5/5 12 34 !!!": "und",
    "muy bien": "und",  # too short for a language nobody listed
    "[email] [phone] [name] [url]": "und",
    "👍👍👍👍👍👍👍👍👍👍": "und",
}


@pytest.mark.parametrize(("text", "language"), TEXTS.items())
def test_language(text: str, language: str) -> None:
    assert LanguageDetector(("fr", "en")).detect(pl.Series([text])) == [language]


def test_a_batch_gives_what_each_text_gives() -> None:
    assert LanguageDetector(("fr", "en")).detect(pl.Series([*TEXTS])) == [*TEXTS.values()]
    assert LanguageDetector(("fr",)).detect(pl.Series([], dtype=pl.String)) == []


def test_no_network_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert LanguageDetector(("fr",)).detect(pl.Series(["le magasin était fermé hier soir"])) == ["fr"]
