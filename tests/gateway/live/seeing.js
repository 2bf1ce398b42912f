// What a test asks of the page as it is drawn: contrast, names, focus.
(() => {
  function colour(text) {
    const found = /rgba?\(([^)]+)\)/.exec(text);
    if (!found) throw new Error(`no colour: ${text}`);
    const [r, g, b, a = 1] = found[1].split(/[ ,/]+/).map(Number);
    return [r, g, b, a];
  }
  function over([r, g, b, a], under) {
    return [r, g, b].map((value, place) => a * value + (1 - a) * under[place]);
  }
  function ground(node) {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      layers.push(colour(getComputedStyle(at).backgroundColor));
      if (layers[layers.length - 1][3] === 1) break;
    }
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  }
  function luminance(rgb) {
    const [r, g, b] = rgb.map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function contrast(one, other) {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  }
  function shown(node) {
    return node.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && !node.closest(".hidden");
  }
  function short(node) {
    const kind = node.getAttribute("class");
    return `${node.localName}${node.id ? `#${node.id}` : ""}${kind ? `.${kind}` : ""} ${node.textContent.slice(0, 30)}`;
  }
  const MARKS = ".sign, .knob, button, select, textarea, input[type=number], input[type=password], .choice";

  window.seeing = {
    // Text under 4.5 to 1, and borders, signs and lines under 3 to 1.
    faint() {
      const found = [];
      for (const node of document.querySelectorAll("body *")) {
        if (!shown(node)) continue;
        const style = getComputedStyle(node);
        const text = [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
        if (text || node.matches("select, textarea, input[type=number]")) {
          const ink = colour(node.closest("svg") ? style.fill : style.color);
          const under = ground(node.closest("svg")?.parentElement ?? node);
          const ratio = contrast(over(ink, under), under);
          if (ratio < 4.5) found.push(`${short(node)}: ${ratio.toFixed(2)}`);
        }
        if (node.matches(MARKS) && style.borderTopStyle !== "none" && style.borderTopWidth !== "0px") {
          const under = ground(node.parentElement);
          const edge = over(colour(style.borderTopColor), under);
          const ratio = Math.max(contrast(edge, under), contrast(ground(node), under));
          if (ratio < 3) found.push(`edge of ${short(node)}: ${ratio.toFixed(2)}`);
        }
        if (node.matches(".chart .line, .chart .area")) {
          const under = ground(node.closest("svg").parentElement);
          const ink = node.matches(".line") ? colour(style.stroke) : [...colour(style.fill).slice(0, 3), Number(style.fillOpacity)];
          const ratio = contrast(over(ink, under), under);
          if (ratio < 3) found.push(`${short(node)}: ${ratio.toFixed(2)}`);
        }
      }
      return found;
    },
    // Where the focus is, and whether one sees it there.
    focus() {
      const node = document.activeElement;
      if (!node || node === document.body) return null;
      const seen = [node, node.nextElementSibling, node.parentElement].some((one) => {
        if (!one) return false;
        const style = getComputedStyle(one);
        return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
      });
      const box = node.getBoundingClientRect();
      const bar = document.querySelector(".bar").getBoundingClientRect();
      return {
        node: short(node), id: node.id, seen,
        // In the window, and not under the bar.
        inside: box.bottom > (node.closest(".bar, .skip") ? 0 : bar.bottom)
          && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
      };
    },
    // Charts that do not say what they show, tables without a caption, levels left out.
    wanting() {
      const found = [];
      for (const chart of document.querySelectorAll(".plot > svg")) {
        if (shown(chart) && (chart.getAttribute("role") !== "img" || !(chart.getAttribute("aria-label").length > 40))) found.push(short(chart));
      }
      for (const table of document.querySelectorAll("table")) {
        if (!table.caption?.textContent) found.push(short(table));
        if (!table.querySelector("thead th[scope=col]")) found.push(short(table));
      }
      let before = 0;
      for (const title of document.querySelectorAll("h1, h2, h3")) {
        const level = Number(title.localName[1]);
        if (level > before + 1) found.push(short(title));
        before = level;
      }
      for (const name of ["header", "nav", "main", "footer"]) {
        if (document.querySelectorAll(`body ${name}`).length !== 1) found.push(name);
      }
      const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
      if (new Set(ids).size !== ids.length) found.push("an id twice");
      return found;
    },
  };
})();
