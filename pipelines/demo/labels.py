"""How generated data says that it is generated, wherever that does not become part of a text."""

GENERATED = "vigie demo (fictional)"
"""In mail headers and document properties."""
ORIGIN = "généré"
"""In the `origine` column of tables."""
