// What the tests measure of a page, as functions on `window.measures`.
(() => {
  const numbers = (text) => text.match(/[\d.]+/g).map(Number);
  const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const [r, g, b, alpha = 1] = numbers(getComputedStyle(each).backgroundColor);
      if (alpha === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const texts = () => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
    while (walker.nextNode()) {
      const parent = walker.currentNode.parentElement;
      if (walker.currentNode.data.trim() && !parent.closest("script, style") && parent.getClientRects().length) found.push(parent);
    }
    return [...new Set(found)];
  };
  window.measures = {
    sizes: () => texts().map((each) => [each.outerHTML.slice(0, 80), parseFloat(getComputedStyle(each).fontSize)]),
    contrasts: () => texts().map((each) => [each.outerHTML.slice(0, 80), contrast(numbers(getComputedStyle(each).color), ground(each))]),
    overflow: () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    contrast,
  };
})();
