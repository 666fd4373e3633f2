"""What mail programs and people write around a reply: patterns, no logic.

French, English, German, Spanish, Italian, Portuguese and Dutch are ours; attributions in some other
languages come from mail-parser-reply. Patterns are tried on lines of bounded length only.
"""

import re

from mailparser_reply.parser import EmailMessage


def _one_of(*alternatives: str) -> re.Pattern[str]:
    return re.compile(f"(?:{'|'.join(alternatives)})", re.IGNORECASE)


ATTRIBUTION_START = re.compile(
    r"[-\s*]*(?:On|Le|Am|El|Il|In data|Em|No dia|Op|In message|At(?= \d+:\d\d.{0,20}\d{4}))\b", re.IGNORECASE
)
"""How `On Monday, Jean wrote:` begins."""

ATTRIBUTION_VERB = _one_of(
    r"\b(?:wrote|said|writes|schrieb|escribió|ha scritto|escreveu|schreef|geschreven)\b",
    # "Votre conseiller m'a écrit :" is the customer telling a story.
    r"(?<!['’])(?<!\bnous )(?<!\bvous )(?<!\blui )\ba écrit\b",
)

OTHER_ATTRIBUTION = EmailMessage(
    text="", languages=["cs", "da", "ja", "ko", "pl", "sv", "zh"], include_english=False
).HEADER_REGEX
"""Attributions and header blocks of the languages for which there are no rules here."""

OTHER_ATTRIBUTION_CUE = re.compile(r"\b(?:skrev|napsal|napisał|nadesłał)\b|写道|님이 작성|\d日")
"""What a line must hold for OTHER_ATTRIBUTION, which is slow, to be worth trying."""

SEPARATOR = _one_of(
    *("original message", "forwarded message", "begin forwarded message", "forwarded by", "next part"),
    *("message d['’]origine", "message original", "message transféré", "message initial"),
    *("(?:courriel|e-?mail) (?:d['’]origine|original|transféré)", "début du message (?:réexpédié|transféré)"),
    *("ursprüngliche nachricht", "original-?nachricht", "(?:anfang der )?weitergeleiteten? nachricht"),
    *("mensaje (?:original|reenviado)", "inicio del mensaje reenviado"),
    *("messaggio (?:originale|inoltrato)", "inizio messaggio inoltrato"),
    *("mensagem (?:original|encaminhada)", "in[íi]cio da mensagem (?:encaminhada|reencaminhada)"),
    *("oorspronkelijk bericht", "(?:begin )?doorgestuurd bericht"),
    *("oprindelig besked", "opprinnelig melding", "ursprungligt meddelande"),
)
"""What stands between two rules, or before a colon, above a quoted or forwarded message."""

HEADER_LABELS = {
    "from": _one_of("from", "de", "von", "da", "van", "fra", "från"),
    "date": _one_of(
        *("sent", "date", "envoyé(?: le)?", "message du", "gesendet(?: am)?", "datum", "fecha"),
        *("enviado(?: el| em)?", "inviato", "data", "verzonden", "dato", "sendt", "skickat"),
    ),
    "to": _one_of("to", "cc", "à", "a", "an", "para", "aan", "til", "till", "kopie", "copie(?: à)?"),
    "subject": _one_of(
        "subject", "objet", "sujet", "betreff", "asunto", "oggetto", "assunto", "onderwerp", "emne", "ämne"
    ),
}
"""Labels of a quoted message's header block, by what they stand for."""

MOBILE = _one_of(
    "sent (?:from|via|with|using) "
    r"(?:my |outlook|yahoo|mail\b|gmail|samsung|iphone|ipad|typeapp|sparrow|proton|aol)",
    "get outlook for",
    "envoyé (?:de|depuis|à partir de|avec|via) (?:mon |ma |mes |un appareil|l['’]|la messagerie|yahoo|outlook"
    r"|orange|gmail|samsung|proton|iphone|ipad|mail\b|free\b|sfr\b)",
    *("t[ée]l[ée]charge[rz] outlook", "obtenez outlook"),
    r"gesendet (?:von|mit|über) (?:mein|outlook|yahoo|mail\b|iphone)",
    "von meinem .{1,40} gesendet",
    "enviado (?:desde|do|de|a partir do|a través de) (?:mi |meu |o meu |outlook|yahoo|correo|iphone|gmail)",
    "inviato (?:da|dal|dalla) (?:mio |mia |outlook|yahoo|iphone|ipad|libero|posta)",
    r"(?:verzonden|verstuurd) (?:vanaf|met|via|vanuit) (?:mijn |outlook|yahoo|mail\b|iphone)",
)
"""Start of `Sent from my iPhone`."""

CLOSING = _one_of(
    *("(?:bien |très )?(?:cordialement|amicalement|respectueusement)", "cdlt", "cdt", "bien à vous"),
    "(?:recevez |avec )?(?:mes |nos )?(?:sincères |meilleures |respectueuses )?"
    "salutations(?: distinguées| les meilleures| cordiales)?",
    "(?:très )?bonne (?:journée|soirée|fin de journée|réception)(?: à vous)?",
    *("(?:best |kind |kindest |warm |many )?regards", "best(?: wishes|(?=,))", "all the best", "cheers"),
    *("sincerely(?: yours)?", "yours (?:sincerely|truly|faithfully)"),
    "(?:mit )?(?:freundlichen?|besten?|herzlichen?|vielen?|liebe) gr(?:ü|ue)(?:ß|ss)en?",
    *("mfg", "(?:un )?(?:cordial )?saludos?(?: cordiales)?", "atentamente", "(?:muy )?cordialmente"),
    *("(?:cordiali|distinti|migliori) saluti", "(?:com os )?(?:melhores )?cumprimentos", "atenciosamente"),
    *("(?:met )?(?:vriendelijke|hartelijke) groet(?:en)?", "mvg"),
)
"""A closing formula; a name may follow on the same line."""

LONG_CLOSING = re.compile(
    r"(?P<lead>[^.!?]{0,120}?)\b(?:je vous prie|nous vous prions|veuillez|recevez|vous voudrez bien)\b"
    r".{0,80}?\b(?:agréer|recevoir|croire|accepter|recevez)\b.{0,120}?"
    r"\b(?:salutations?|sentiments?|considération|respects?|expression|assurance)\b",
    re.IGNORECASE,
)
"""`Je vous prie d'agréer, Madame, l'expression de mes salutations`, tried on up to three joined lines.

`lead` is what precedes it in its sentence."""

THANKS = re.compile(
    "(?:merci|thanks|thank you|thx|danke|vielen dank|(?:muchas )?gracias|grazie|obrigad[oa]|bedankt|dank u)"
    "(?: d['’]avance| par avance| beaucoup| bien| in advance| again| so much| im voraus| mille)?",
    re.IGNORECASE,
)
"""Thanks close a mail only where a name follows; by themselves they are said to somebody."""

DISCLAIMER = _one_of(
    r"ce (?:message|courriel|mail|e-mail)\b.{0,140}(?:confidentiel|destinataire|usage exclusif)",
    r"this (?:e-?mail|message|communication)\b.{0,140}(?:confidential|intended|privileged|proprietary)",
    r"the information (?:contained )?in this (?:e-?mail|message)\b.{0,140}(?:confidential|intended)",
    r"diese (?:e-?mail|nachricht)\b.{0,140}vertraulich",
    r"este (?:mensaje|correo|e-?mail|mensagem)\b.{0,140}confidenci",
    r"(?:questo messaggio|questa e-?mail|le informazioni contenute in questo messaggio)\b.{0,140}"
    "(?:riservat|confidenzial)",
    r"(?:dit bericht|deze e-?mail)\b.{0,140}vertrouwelijk",
)
"""Start of a legal notice, tried on joined lines; it runs to the end."""

POSTSCRIPT = re.compile(r"p\.? ?s\.? ?[:\-–]|p\.s\.", re.IGNORECASE)
