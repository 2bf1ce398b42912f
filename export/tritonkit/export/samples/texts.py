"""Texts that a conversion is judged by: what people embed, and what breaks tokenizers."""

from __future__ import annotations

__all__ = ["SENTENCES", "TEXTS"]

SENTENCES = (
    "How do I reset my password?",
    "Your parcel was handed to the neighbour on the second floor.",
    "The invoice is due within thirty days of receipt.",
    "Heavy rain is expected along the coast until Thursday evening.",
    "She opened the window and listened to the trains.",
    "Insulin lowers the level of glucose in the blood.",
    "The committee postponed its decision for the third time this year.",
    "Restart the router, wait a minute, and try again.",
    "A stack is a list to which items are added and removed at the same end.",
    "The museum is closed on Mondays.",
    "Preheat the oven to 180 degrees and butter the tin.",
    "The patient reported mild headaches after the second dose.",
    "Our flight was delayed by four hours because of fog.",
    "Prices rose by two percent in the last quarter, less than analysts had expected.",
    "He plays the cello in a small orchestra.",
    "The function returns None when the key is missing.",
    "Turn left at the bakery and follow the river.",
    "This contract may be terminated by either party with three months' notice.",
    "The battery lasts about nine hours when the screen is dimmed.",
    "Volcanic soil makes the island's vineyards unusually fertile.",
    "Please find the minutes of yesterday's meeting attached.",
    "I would like my money back.",
    "The striker scored twice before half-time.",
    "Water boils at a lower temperature on a mountain.",
    "The old lighthouse was turned into a library.",
    "Two witnesses saw the van leave the car park shortly after midnight.",
    "Gradient descent follows the slope of the loss towards a minimum.",
    "My cat sleeps on the keyboard whenever I have work to do.",
    "The bridge will be repaired in spring.",
    "Sort the results by date, newest first.",
    "Bees tell each other where flowers are by dancing.",
    "The court found that the evidence had been obtained unlawfully.",
)
"""32 English sentences of ordinary length: one batch for measuring throughput."""

TEXTS = (
    *SENTENCES,
    "",
    " ",
    "a",
    "?!",
    "ALL CAPITALS, NO MERCY",
    "naïve café, Zürich, façade, coöperate",
    "def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)",
    '{"id": 7, "tags": ["a", "b"], "price": 12.50}',
    "https://example.org/a/very/long/path?query=value&other=1#fragment",
    "3.14159265358979 1,000,000 0x7fff 1e-9",
    "🚀 shipped! 🎉🎉 thanks, team 🙏",
    "機械学習モデルを本番環境に展開する。",
    "Модель отвечает за двадцать миллисекунд.",
    "هذه جملة باللغة العربية.",
    "Η ταχύτητα του φωτός είναι σταθερή.",
    "यह एक परीक्षण वाक्य है।",
    "line one\nline two\ttabbed\r\nline three",
    "zero\u200bwidth and combining e\u0301",
    "Donaudampfschifffahrtsgesellschaftskapitän",
    "[CLS] [SEP] [PAD] [MASK] are not special here",
    "word " * 60,
    "A sentence that is said again and again until nothing more fits. " * 160,
)
"""The sentences, and hard cases: empty, long, code, symbols, other scripts."""
