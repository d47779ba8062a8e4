from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Words shown to people, in the study's two languages (ODM TranslatedText)."""

    en: str
    zh: str

    def in_language(self, code: str) -> str:
        """The words for a language tag such as `en`, `zh-hans` or `zh_CN`; English otherwise."""
        return self.zh if code.lower().replace("_", "-").split("-")[0] == "zh" else self.en
