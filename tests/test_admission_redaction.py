"""What must leave a text, and what must stay in it. Every case is worked by hand."""

import unicodedata
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.admission.names import fold, fold_all
from connectors.admission.redaction import Redactor, clean, read_names
from connectors.errors import SettingsError

REDACTOR = Redactor(["Aurélien Passerinot", "Delacourt", "Jean-Pierre L'Hôte", "Lœuillet"])

REPLACED = {
    # addresses
    "écrire à jean.dupont@example.org.": "écrire à [email].",
    "JEAN.DUPONT+sav@EXAMPLE.CO.UK ok": "[email] ok",
    "jean.dupont @ example.org": "[email]",
    "mailto:a-b_c@sous.domaine.example.fr?": "mailto:[email]?",
    "jean＠example．org": "[email]",
    "jean\u200b.dupont@exam\u00adple.org": "[email]",
    "hélène@exämple.org": "[email]",
    "contact jean@gmail svp": "contact [email] svp",
    "Jean.Dupont@Gmail.Com.Merci": "[email].Merci",
    # telephones, French
    "06 12 34 56 78": "[phone]",
    "appelez le 06.12.34.56.78 !": "appelez le [phone] !",
    "06-12-34-56-78": "[phone]",
    "06/12/34/56/78": "[phone]",
    "0612345678": "[phone]",
    "0612345678/0712345678": "[phone]/[phone]",
    "tél:0612345678": "tél:[phone]",
    "tel0612345678": "tel[phone]",
    "06\u00a012\u00a034\u00a056\u00a078": "[phone]",
    "06\u202f12\u202f34\u202f56\u202f78": "[phone]",
    "０６ １２ ３４ ５６ ７８": "[phone]",
    "0\u200b6 12 34 56 78": "[phone]",
    "0 6 1 2 3 4 5 6 7 8": "[phone]",
    "0 612 345 678": "[phone]",
    "0320 12 34 56": "[phone]",
    "03 20 / 12 34 56": "[phone]",
    "06 12\n34 56 78": "[phone]",
    "+33 6 12 34 56 78": "[phone]",
    "+33612345678": "[phone]",
    "+33 (0)6 12 34 56 78": "[phone]",
    "(+33) 6 12 34 56 78": "[phone]",
    "0033 6 12 34 56 78": "[phone]",
    "33612345678": "[phone]",
    "6 12 34 56 78": "[phone]",
    "59000 06 12 34 56 78 le 3": "59000 [phone] le 3",
    "le 01/02/2024 06 12 34 56 78": "le 01/02/2024 [phone]",
    "06 12 34 56 78 01 23 45 67 89": "[phone] [phone]",
    # telephones, elsewhere
    "+44 20 7946 0958": "[phone]",
    "+32 475 12 34 56, merci": "[phone], merci",
    "+1 (202) 555-0143": "[phone]",
    "(202) 555-0143": "[phone]",
    "call 202-555-0143 now": "call [phone] now",
    "020 7946 0958": "[phone]",
    # bank accounts
    "FR14 2004 1010 0505 0001 3M02 606": "[iban]",
    "FR1420041010050500013M02606": "[iban]",
    "mon rib fr14 2004 1010 0505 0001 3m02 606 merci": "mon rib [iban] merci",
    "IBAN:FR14-2004-1010-0505-0001-3M02-606.": "IBAN:[iban].",
    "GB29 NWBK 6016 1331 9268 19": "[iban]",
    "DE89370400440532013000": "[iban]",
    "BE68 5390 0754 7034 Paul": "[iban] Paul",
    "FR15 2004 1010 0505 0001 3M02 606": "[iban]",  # mistyped: the check does not fit
    # cards
    "4111 1111 1111 1111": "[card]",
    "4111-1111-1111-1111 exp 12/27": "[card] exp 12/27",
    "5555555555554444": "[card]",
    "3782 822463 10005": "[card]",
    "6011.1111.1111.1117": "[card]",
    "4111 1111 1111 1111 12 27": "[card] 12 27",
    "4222222222222": "[card]",
    # social security
    "2 69 05 49 588 157 80": "[nir]",
    "269054958815780": "[nir]",
    "2690549588157 80": "[nir]",
    "2 69 05 49 588 157": "[nir]",
    "1 85 05 2A 006 084 91": "[nir]",
    # the web
    "https://suivi.example.net/colis?token=k9Qz": "[url]",
    "voir https://www.example.fr/compte/jean.dupont, merci": "voir [url], merci",
    "(http://example.fr/#/client/42)": "([url])",
    "www.example.fr/avis/4821": "[url]",
    "example.com/u/jdupont": "[url]",
    "https://jean:secret@example.fr": "[url]",
    # names
    "merci à Aurélien PASSERINOT !": "merci à [name] !",
    "AURELIEN PASSERINOT": "[name]",
    "Passerinot Aurelien": "[name]",
    "M. Delacourt, au rayon four": "M. [name], au rayon four",
    "jean pierre l hote": "[name]",
    "Jean-Pierre L’Hôte": "[name]",
    "Mme Loeuillet et M. LŒUILLET": "Mme [name] et M. [name]",
    "Aure\u0301lien Passerinot": "[name]",
}

KEPT = [
    "",
    "ouvert 9h-12h 14h-18h, fermé le lundi",
    "de 08:30 à 12:30 et de 14:00 à 19:00",
    "08.30-12.30 14.00-18.30",
    "9h00 12h00 14h00 18h00",
    "le 12/03/2024 à 10:30",
    "du 01/02/2024 au 15/02/2024",
    "2024-03-12 10:30:00",
    "01.02.2024 10.30",
    "01 02 2024 10 30",
    "01/02/24 10 30 00",
    "1 234 567,89 €",
    "12.345.678 euros",
    "250 000 000 de chiffre",
    "19,99 € au lieu de 29,99 €",
    "59000 Lille, 75001 Paris, 13008 Marseille",
    "commande 123456789",
    "commande n° 2024-000123-45",
    "réf. 4012345678",
    "référence XR0612345678",
    "EAN 3017620422003",
    "code barre 3 017620 422003",
    "colis 6A12345678901",
    "facture FA-2024-00012345",
    "SIREN 552 100 554",
    "ticket 1234 5678 9012 3456",
    "commande 403-1234567-1234567",
    "lave-linge WF80F5E0W4W 8kg 1400 tours",
    "années 2019 2020 2021 2022",
    "le 12 janvier 2024 au matin, de 20 euros à 3 articles",
    "note 4/5, 10/10, 8.5/10",
    "n° dossier 00012345678",
    "0,1234567890",
    "+ 20 % en 2024",
    "@Enseigne votre service, merci #sav",
    "rendez-vous @ 10h",
    "bonjour@Enseigne, l'@Enseigne_Lille ouvre @Lille.Merci",
    "version 4.01.03.27 201-229-121-127",
    "probabilité 0.6579999999999999",
    "message 570270684619923457 et 629150573829455872",
    "voir www.example.fr ou https://example.fr/",
    "très bien.Accueil/conseil au top, oui/non, km/h",
    "Aurélien du rayon four",
    "Delacourtois et Petitdelacourt",
    "Passerinot",
    "👩‍👩‍👧 très bien ! 👍🏽",
]


@pytest.mark.parametrize(("text", "expected"), REPLACED.items())
def test_personal_data_leaves(text: str, expected: str) -> None:
    redacted = REDACTOR.redact([text])
    assert redacted.texts.to_list() == [expected]
    assert redacted.changed == [True]


@pytest.mark.parametrize("text", KEPT)
def test_ordinary_text_stays(text: str) -> None:
    redacted = REDACTOR.redact([text])
    assert redacted.texts.to_list() == [text]
    assert redacted.changed == [False]


def test_a_batch_gives_what_each_text_gives() -> None:
    texts = [*REPLACED, *KEPT]
    expected = [*REPLACED.values(), *KEPT]
    assert REDACTOR.redact(texts).texts.to_list() == expected


def test_several_classes_in_one_text(canaries: ModuleType) -> None:
    redacted = REDACTOR.redact_one(canaries.planted_text())
    assert canaries.found_in(redacted) == []
    words = "email [email] ; phone [phone] ; phone_abroad [phone] ; iban [iban] ; card [card] ; nir [nir]"
    assert redacted == f"Le four livré hier ne chauffe pas. {words} ; url [url] ; name [name]"


def test_own_author_leaves_only_his_own_text() -> None:
    texts = ["signé Zoé Martin, CLI-4821", "signé Zoé Martin, CLI-4821", "ZOE MARTINEZ, Zoe MARTIN"]
    redacted = REDACTOR.redact(texts, [("zoe martin", "cli-4821"), (), ("zoe martin",)])
    assert redacted.texts.to_list() == ["signé [name], [name]", texts[1], "ZOE MARTINEZ, [name]"]
    assert redacted.changed == [True, False, True]


def test_redaction_is_stable() -> None:
    once = REDACTOR.redact([*REPLACED]).texts.to_list()
    assert REDACTOR.redact(once).texts.to_list() == once


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(max_size=60), max_size=5))
def test_any_text_passes_and_can_be_encoded(texts: list[str]) -> None:
    redacted = REDACTOR.redact(texts)
    assert len(redacted.texts) == len(redacted.changed) == len(texts)
    for text in redacted.texts:
        text.encode()


@settings(deadline=None, max_examples=60)
@given(
    st.text(alphabet="abc d,é", max_size=20),
    st.sampled_from(["06 12 34 56 78", "jd@example.org", "4111 1111 1111 1111"]),
    st.text(alphabet="abc d,é", max_size=20),
)
def test_surrounding_words_never_hide_it(before: str, secret: str, after: str) -> None:
    redacted = REDACTOR.redact_one(f"{before} {secret} {after}")
    assert secret not in redacted
    assert "[" in redacted


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_folding_keeps_places_and_both_ways_agree(texts: list[str]) -> None:
    composed = [unicodedata.normalize("NFC", text) for text in clean(texts)]
    assert fold_all(pl.Series(composed)).to_list() == [fold(text) for text in composed]
    assert [len(fold(text)) for text in composed] == [len(text) for text in composed]


def test_long_texts_without_blanks_take_linear_time() -> None:
    for unit in ("a", "a1", "1", "a.", "@", "FR12", "06 ", "1-"):
        text = unit * (40_000 // len(unit)) + "@"
        REDACTOR.redact([text])


def test_unencodable_and_control_characters() -> None:
    assert clean(["a\ud800b", "a\x00b\tc\n", "ok"]).to_list() == ["a\ufffdb", "a b\tc\n", "ok"]


def test_directory_file(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes("\ufeffJean Dupont\r\n\r\n  Zoé Martin \n".encode())
    assert read_names(path) == ["Jean Dupont", "Zoé Martin"]
    path.write_bytes("Zoé Martin\n".encode("cp1252"))
    assert read_names(path) == ["Zoé Martin"]
    with pytest.raises(SettingsError, match="cannot be read"):
        read_names(tmp_path / "absent.txt")


def test_thousands_of_names() -> None:
    names = [f"Prenom{i} Nomdefamille{i}" for i in range(5000)]
    texts = [f"vu avec prénom{i} NOMDEFAMILLE{i} hier" for i in range(0, 5000, 50)]
    assert set(Redactor(names).redact(texts).texts) == {"vu avec [name] hier"}


def test_an_address_is_one_in_any_mix_of_cases() -> None:
    assert Redactor().redact_one("écrire à zOe@ExEmPlE.CoM ou rien") == "écrire à [email] ou rien"
