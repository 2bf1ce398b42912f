// What scrolls by itself can be reached by keyboard, with a name; what fits is no stop.

function mark(node, name) {
  const scrolls = node.scrollWidth > node.clientWidth + 1 || node.scrollHeight > node.clientHeight + 1;
  if (scrolls === node.hasAttribute("tabindex")) return;
  if (scrolls) {
    node.setAttribute("tabindex", "0");
    node.setAttribute("role", "group");
    node.setAttribute("aria-label", `${name}, to scroll`);
  } else if (document.activeElement !== node) {
    for (const attribute of ["tabindex", "role", "aria-label"]) node.removeAttribute(attribute);
  }
}

const names = new WeakMap();
const observer = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const node = target.closest(".scroll");
    if (node) mark(node, names.get(node));
    else observer.unobserve(target);
  }
});

// Watch what may scroll, and what is in it now.
export function watch(node, name) {
  names.set(node, name);
  observer.observe(node);
  for (const child of node.children) observer.observe(child);
}
