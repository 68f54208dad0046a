// Draws the equations of a page of the documentation, which arrive as \(...\) and \[...\]: each when
// it comes near the window, as the page of all formulas has more than a thousand, or at printing.
const waiting = new Set(document.querySelectorAll(".arithmatex"));

const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) draw(target);
}, { rootMargin: "800px" });

function draw(place) {
  near.unobserve(place);
  if (!waiting.delete(place)) return;
  const text = place.textContent.trim();
  katex.render(text.slice(2, -2), place, {
    displayMode: text.startsWith("\\["),
    throwOnError: false,
  });
}

for (const place of waiting) near.observe(place);
addEventListener("beforeprint", () => waiting.forEach(draw));
