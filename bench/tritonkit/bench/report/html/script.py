"""What the page of the bench does; it says the same without."""

__all__ = ["SCRIPT"]

SCRIPT = """
"use strict";
for (const button of document.querySelectorAll(".legend button")) {
  button.addEventListener("click", () => {
    const shown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(shown));
    const area = button.closest("section");
    for (const part of area.querySelectorAll("svg [data-series='" + button.dataset.series + "']")) {
      part.classList.toggle("off", !shown);
    }
  });
}
for (const button of document.querySelectorAll(".command button")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 2000);
  });
}
"""
