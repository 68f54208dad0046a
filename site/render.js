// Draws the equations of a page of the documentation, which arrive as \(...\) and \[...\].
for (const place of document.querySelectorAll(".arithmatex")) {
  const text = place.textContent.trim();
  katex.render(text.slice(2, -2), place, {
    displayMode: text.startsWith("\\["),
    throwOnError: false,
  });
}
