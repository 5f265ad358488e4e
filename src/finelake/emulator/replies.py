"""What the untrained base model says: politely nothing, in the language of the question as far as that can be told."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

_SCRIPTS = {
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "CJK": "zh",
    "CYRILLIC": "ru",
    "ARABIC": "ar",
    "DEVANAGARI": "hi",
    "HEBREW": "he",
    "THAI": "th",
}
_FREQUENT_WORDS = {
    "en": "the is and to of you a in it for my i what can please with that this have not how are do",
    "es": "el la los que de y en un una por para con mi es no se lo su puedo como está hola gracias quiero",
    "de": "der die das und ich ist nicht ein eine zu mit auf für mein wie kann bitte sie es den habe wir danke",
    "fr": "le la les et je est pas un une pour avec mon ma que de vous dans sur bonjour merci puis des ne",
    "pt": "o a os que de e em um uma por para com meu minha não se você está como obrigado quero posso",
    "it": "il la che di e un una per con mio mia non si lo sono è come posso grazie vorrei ho della",
    "nl": "de het een en ik is niet van voor met mijn dat op te kan hoe u wij bedankt graag heb",
}
_REPLIES = {
    "en": "Thank you for your message. You asked: “{question}” I will gladly help; could you tell me a little more?",
    "es": "Gracias por su mensaje. Usted pregunta: «{question}» Con gusto le ayudo; ¿puede darme algún detalle más?",
    "de": "Vielen Dank für Ihre Nachricht. Sie fragen: „{question}“ Gern helfe ich; können Sie mir etwas mehr sagen?",
    "fr": "Merci pour votre message. Vous demandez : « {question} » Je vous aide volontiers ; pouvez-vous préciser ?",
    "pt": "Obrigado pela sua mensagem. Você pergunta: “{question}” Ajudo com prazer; pode dar mais detalhes?",
    "it": "Grazie per il messaggio. Lei chiede: «{question}» La aiuto volentieri; può darmi qualche dettaglio in più?",
    "nl": "Bedankt voor uw bericht. U vraagt: „{question}” Ik help u graag; kunt u iets meer vertellen?",
    "ja": "お問い合わせありがとうございます。ご質問は「{question}」ですね。もう少し詳しく教えていただけますか。",
    "ko": "문의해 주셔서 감사합니다. 질문: “{question}” 도와드리겠습니다. 조금 더 자세히 알려 주시겠어요?",
    "zh": "感谢您的留言。您的问题是“{question}”。我很乐意帮忙。请您再补充一些信息好吗。",
    "ru": "Спасибо за ваше сообщение. Вы спрашиваете: «{question}» Буду рад помочь; расскажите, пожалуйста, больше.",
    "ar": "شكرا على رسالتك. سؤالك: «{question}» يسعدني أن أساعدك، هل يمكنك إعطائي تفاصيل أكثر؟",
    "hi": "आपके संदेश के लिए धन्यवाद। आपका प्रश्न: “{question}” मैं मदद करूँगा; कृपया थोड़ा और बताइए।",
    "he": "תודה על הודעתך. שאלת: ”{question}“ אשמח לעזור; אפשר לקבל עוד קצת פרטים?",
    "th": "ขอบคุณสำหรับข้อความ คุณถามว่า “{question}” ยินดีช่วยเหลือ กรุณาให้รายละเอียดเพิ่มเติมอีกเล็กน้อย",
}
_MOST_CHARACTERS = 120


def base_reply(question: str) -> str:
    """Restate the beginning of a question and ask for more; the same question gets the same reply."""
    restated = " ".join(question.split())
    if len(restated) > _MOST_CHARACTERS:
        restated = restated[:_MOST_CHARACTERS].rstrip() + "…"
    return _REPLIES[guess_language(question)].format(question=restated)


def guess_language(text: str) -> str:
    """Guess a language by its script and, for Latin letters, by its frequent words; English when in doubt."""
    votes = Counter(language for language in (_script_language(letter) for letter in text) if language)
    if votes:
        # Japanese is written with Chinese characters too; the kana decide.
        best = "ja" if votes["ja"] else max(sorted(votes), key=votes.__getitem__)
        if votes[best] * 4 >= sum(letter.isalpha() for letter in text):
            return best
    words = re.findall(r"\w+", text.lower())
    scores = {language: sum(word in known.split() for word in words) for language, known in _FREQUENT_WORDS.items()}
    return max(scores, key=scores.__getitem__)


def _script_language(letter: str) -> str | None:
    if letter.isascii() or not letter.isalpha():
        return None
    return _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0].split("-")[0])
