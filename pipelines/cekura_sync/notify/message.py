"""A message, and its form for each kind of receiver."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Message:
    title: str
    lines: list[str]
    figures: list[dict[str, Any]]

    @property
    def text(self) -> str:
        return "\n".join([self.title, *(f"• {line}" for line in self.lines)])

    def for_slack(self) -> dict[str, Any]:
        """Slack reads &, < and > as markup, and takes nothing else for a link or a mention."""
        escaped = self.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {"text": escaped}

    def for_teams(self) -> dict[str, Any]:
        """An adaptive card; runs of text are not read as Markdown."""
        body = [
            {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": line, "weight": weight}]}
            for line, weight in [(self.title, "bolder"), *((line, "default") for line in self.lines)]
        ]
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": body,
        }
        attachment = {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": None,
            "content": card,
        }
        return {"type": "message", "attachments": [attachment]}

    def for_any(self) -> dict[str, Any]:
        return {"source": "cekura-sync", "text": self.text, "news": self.figures}
