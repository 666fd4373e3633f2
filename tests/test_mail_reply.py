"""Visible reply text: what the sender wrote, in the languages of our users."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mail_html import html_to_text
from connectors.mail_reply import MAX_CHARS, visible

DATA = Path(__file__).parents[2] / "shared" / "data" / "mail_replies"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not here")

OWN = "Le colis est arrivé cassé.\nQue faire ?"

QUOTED_BELOW = {
    "fr gmail": "Le mar. 3 déc. 2024 à 10:12, SAV <sav@ex.fr> a écrit :\n> Bonjour",
    "fr two lines": "Le mar. 3 déc. 2024 à 10:12, SAV Enseignes <\nsav@ex.fr> a écrit :\n\n> Bonjour",
    "fr outlook": "De : SAV <s@ex.fr>\nEnvoyé : mardi 3 décembre 2024\nÀ : moi\nObjet : Commande\n\nBonjour",
    "fr outlook bold": "*De :* SAV\n*Envoyé :* mardi 3\n*À :* moi\n*Objet :* Commande\n\nBonjour",
    "fr original": "-------- Message d'origine --------\nDe : SAV\nBonjour",
    "fr forward": "---------- Message transféré ----------\nBonjour",
    "fr apple forward": "Début du message réexpédié :\n\nBonjour",
    "en gmail": "On Tue, Dec 3, 2024 at 10:12 AM Support <s@ex.com> wrote:\n\n> Hello",
    "en without marks": "On 3 December 2024 Support wrote:\n\nHello",
    "en original": "-----Original Message-----\nFrom: Support\nHello",
    "de gmail": "Am Di., 3. Dez. 2024 um 10:12 Uhr schrieb SAV <s@ex.de>:\n\n> Hallo",
    "de outlook": "Von: SAV\nGesendet: Dienstag, 3. Dezember 2024\nAn: ich\nBetreff: AW: Paket\n\nHallo",
    "es": "El mar, 3 dic 2024 a las 10:12, SAV (<s@ex.es>) escribió:\n\n> Hola",
    "it": "Il giorno mar 3 dic 2024 alle ore 10:12 SAV <s@ex.it> ha scritto:\n\n> Ciao",
    "pt": "Em ter., 3 de dez. de 2024 às 10:12, SAV <s@ex.pt> escreveu:\n\n> Olá",
    "nl": "Op di 3 dec 2024 om 10:12 schreef SAV <s@ex.nl>:\n\n> Hallo",
    "nl outlook": "Van: SAV\nVerzonden: dinsdag 3 december 2024\nAan: ik\nOnderwerp: RE: Pakket\n\nHallo",
    "sv, by the library": "Den tis 3 dec. 2024 kl 10:12 skrev SAV <s@ex.se>:\n\nHej",
    "ja, by the library": "2024年12月3日(火) 10:12 SAV <s@ex.jp>:\n\nこんにちは",
    "any language": '03.12.2024, 10:12, "SAV" <s@ex.ru>:\n\nПривет',
    "marks alone": "> Bonjour\n> Votre colis",
    "initials": "JD> Bonjour\nJD> Votre colis",
}

SIGNED_BELOW = {
    "delimiter": "-- \nJean Dupont\nDirecteur",
    "fr phone": "Envoyé de mon iPhone",
    "fr outlook app": "Envoyé à partir de Outlook pour Android<https://aka.ms/x>",
    "fr orange": "Envoyé depuis l'application Mail Orange",
    "en phone": "Sent from my Galaxy",
    "de phone": "Von meinem iPhone gesendet",
    "es phone": "Enviado desde mi iPhone",
    "nl phone": "Verstuurd vanaf mijn iPhone",
    "closing and name": "Cordialement,\nJean Dupont\n06 12 34 56 78",
    "closing and name on one line": "Bien cordialement, Jean Dupont",
    "long closing": "Je vous prie d'agréer, Madame, l'expression de mes salutations.\n\nJean Dupont",
    "long closing, two lines": "Dans l'attente, veuillez agréer, Madame, l'expression\nde mes sentiments.",
    "german": "Mit freundlichen Grüßen\nJean Dupont",
    "own name": "Jean Dupont",
    "thanks and own name": "Merci,\nJean",
    "contacts": "SARL Dupont\nTél. : 03 20 00 00 00\nwww.ex.fr",
    "notice": "Ce message et ses pièces jointes sont confidentiels et réservés à leur destinataire. "
    + "Bla. " * 40,
}

KEPT = [
    "Le 12 mars votre conseiller m'a écrit :\nvotre colis arrivera demain.\nIl n'est pas venu.",
    "Envoyé depuis 3 semaines et toujours rien reçu.",
    "Sent from my desk, is much easier then my phone.",
    "Points :\n- le colis\n- la facture\n-- le retard",
    "Bonjour\nMon colis est ouvert.\nMerci",
    "Merci beaucoup\nTrès bonne équipe",
    "Best Western Lille\nChambre sale",
    "De : Jean\nObjet : mon colis\nIl manque une pièce.",
    "Titre\n----\nLe colis est cassé, voici le détail de ce qui manque dans la boîte.",
    "Avec mes salutations, je vous signale que le magasin était fermé samedi alors qu'il devait ouvrir, "
    "et personne ne répond au téléphone.",
    "Jean Dupont\ncommande 4512\ncolis cassé\nporte fermée",
]


@pytest.mark.parametrize("quoted", QUOTED_BELOW.values(), ids=QUOTED_BELOW.keys())
def test_quoted_mail_below_goes(quoted: str) -> None:
    assert visible(f"{OWN}\n\n{quoted}") == OWN


@pytest.mark.parametrize("signature", SIGNED_BELOW.values(), ids=SIGNED_BELOW.keys())
def test_signatures_go(signature: str) -> None:
    assert visible(f"{OWN}\n\n{signature}", sender="Jean Dupont jean.dupont") == OWN


@pytest.mark.parametrize("text", KEPT)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert visible(text, sender="Jean Dupont jdupont") == text


def test_answers_between_and_below_quotes_stay() -> None:
    text = "Le 3 mai 2024, SAV a écrit :\n> Quel produit ?\nLa bouilloire.\n> Quand ?\nHier.\n-- \nJean"
    assert visible(text) == "La bouilloire.\nHier."


def test_a_postscript_below_the_signature_stays() -> None:
    text = f"{OWN}\n\nCordialement,\nJean Dupont\n\nPS : la porte aussi est cassée."
    assert visible(text) == f"{OWN}\n\nPS : la porte aussi est cassée."


def test_all_quoted_is_empty() -> None:
    assert visible("> Bonjour\n> Merci") == ""
    assert visible("-----Message d'origine-----\nDe : SAV") == ""


def test_links_and_inline_images_leave_no_trace() -> None:
    assert visible("Voir [cid:image001.png@01] la photo<https://ex.fr/p>\u200b") == "Voir  la photo"


@given(st.text(st.sampled_from("> \n:-_@.a1Le On wrote écrit2024 10:12<>"), max_size=300))
@settings(deadline=None, max_examples=200)
def test_visible_never_raises_nor_invents(text: str) -> None:
    assert set(visible(text).split()) <= set(text.split())


HOSTILE = ["On the hand ", "> > > a\n", " \n", "Le colis a écrit\n", "a@b.fr 10:12 2024:\n", "-", "De :\n"]
HOSTILE += ["Den 3 skrev ", "Den 3 skrev:\n", "Veuillez ", "Ce message ", "_\n", "A> \n", "Cordialement\n"]


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_stays_linear_on_hostile_text(unit: str) -> None:
    text = unit * (MAX_CHARS // len(unit))
    start = time.process_time()
    visible(text)
    # Quadratic rules take minutes here; linear ones a tenth of a second.
    assert time.process_time() - start < 3


# Real replies: the lines of each file that its sender wrote, judged by hand; all lines where not listed.
CRISP_FIRST_LINES = {
    "correct_sig": 1, "email_1": 7, "email_19": 3, "email_2_1": 1, "email_20": 1, "email_3": 5,
    "email_4": 1, "email_6": 3, "email_blackberry": 1, "email_bullets": 9, "email_custom_quote_header": 1,
    "email_customer_quote_header_2": 1, "email_customer_quote_header_3": 3, "email_emoji": 1,
    "email_iphone": 1, "email_multi_word_sent_from_my_mobile_device": 1, "email_not_a_signature": 13,
    "email_one_is_not_on": 5, "email_reply_header": 11, "email_sent_from": 1, "email_thread": 1,
    "email_tricky_11_double_signature": 1, "email_tricky_16_unicode_signatures": 1,
    "email_tricky_17_forward_header": 1, "email_tricky_20_html_entities": 3,
    "email_tricky_2_url_with_wrote": 5, "email_tricky_9_nested_quotes": 1, "email_unquoted_reply": 1,
    "email_with_regards": 5, "email_zoho": 2, "sig_no_empty_line": 1,
} | dict.fromkeys(
    [
        *(f"email_{number}" for number in (7, 8, 9, *range(10, 19), *range(22, 27))),
        "email_danish_dash_separator", "email_en_multiline_2", "email_finnish", "email_fr_multiline",
        "email_french_2", "email_french_dash_separator", "email_german", "email_german_2", "email_german_3",
        "email_german_outlook", "email_gmail_split_line_from", "email_ios_outlook", "email_ios_outlook_fr",
        "email_italian", "email_msn", "email_norwegian_gmail", "email_original_message",
        "email_original_message_2", "email_outlook_split_line_from", "email_portuguese", "email_russian",
        "email_tricky_10_special_chars_in_name", "email_tricky_12_no_space_after_header",
        "email_tricky_14_long_quote_header", "email_tricky_15_original_message_variations",
        "email_tricky_5_mixed_languages",
    ],
    5,
)  # fmt: skip
CRISP_LINES = {
    "email_2": [1, *range(8, 35)],
    "email_tricky_18_inline_reply": [4, 8, 12],
    "email_tricky_19_quote_without_header": [1, 7, 12],
}


def crisp_files() -> list[Path]:
    return sorted((DATA / "crisp").glob("*.txt"))


@needs_data
@pytest.mark.parametrize("path", crisp_files(), ids=lambda path: path.stem)
def test_replies_of_many_mail_programs(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    numbers = CRISP_LINES.get(path.stem) or range(1, CRISP_FIRST_LINES.get(path.stem, len(lines)) + 1)
    assert visible("\n".join(lines)).split() == " ".join(lines[number - 1] for number in numbers).split()


@needs_data
@pytest.mark.parametrize(
    "name", ["camel_case", "jeff", "johndoeexamplecom", "long", "short_url", "sparse"]
)  # fmt: skip
def test_signatures_told_by_the_fixture(name: str) -> None:
    folder = DATA / "talon" / "signature" / "emails" / "stripped"
    body, sender, signature = (
        (folder / f"{name}_{part}").read_text(encoding="utf-8") for part in ("body", "sender", "signature")
    )
    text = body[: body.rindex(signature)] if signature.strip() else body
    assert visible(body, sender=sender).split() == text.split()


@needs_data
def test_the_same_reply_from_many_html_mail_programs() -> None:
    paths = sorted((DATA / "talon" / "html_replies").glob("*.html"))
    texts = {path.name: visible(html_to_text(path.read_text(encoding="utf-8"))).split() for path in paths}
    assert len(texts) == 9
    assert set(map(tuple, texts.values())) == {tuple(texts["thunderbird.html"])}
    assert len(texts["thunderbird.html"]) == 6


@needs_data
@pytest.mark.parametrize("name", ["OLK_SRC_BODY_SECTION", "reply-separated-by-hr"])
def test_html_quotes_without_blockquote(name: str) -> None:
    text = visible(html_to_text((DATA / "talon" / f"{name}.html").read_text(encoding="utf-8")))
    assert text
    assert "Subject" not in text
    assert "@" not in text


@pytest.mark.parametrize("frame", ["iframe", "noframes", "noembed"])
def test_markup_within_frames_is_no_text(frame: str) -> None:
    inside = '<script language="JavaScript" src="pub.js"></script><b>publicité</b>'
    assert html_to_text(f"<p>Bonjour.</p><{frame}>{inside}</{frame}>Merci.").split() == ["Bonjour.", "Merci."]
