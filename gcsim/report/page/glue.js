// Draws the figures with Vega-Lite, shows the value under the pointer or of the arrow keys, and copies snippets.
// Without this script the page shows still figures and tables.
"use strict";

const HINT = "Point at the figure, or focus it and use the arrow keys, to read its values.";

async function draw(figure, config) {
  const { spec, perRow } = JSON.parse(figure.querySelector("script").textContent);
  const texts = spec.data.values.map((one) => one.text);
  const [plot, value, still, table] = [".plot", ".value", ".still", "details"].map((one) => figure.querySelector(one));
  plot.hidden = value.hidden = false;
  let view;
  try {
    ({ view } = await vegaEmbed(plot, spec, {
      mode: "vega-lite", renderer: "svg", actions: false, defaultStyle: false, config,
      tooltip: { disableDefaultStyle: true },
    }));
  } catch (error) {
    plot.hidden = value.hidden = true; // the still figure and the table stay
    throw error;
  }
  plot.querySelector("svg").setAttribute("aria-hidden", "true"); // the line of values and the table speak for it
  if (still) still.hidden = true;
  table.open = false;
  let at = -1;
  const show = (place) => {
    at = place;
    value.textContent = texts[place] ?? HINT;
    view.signal("at", place).runAsync();
  };
  value.textContent = HINT;
  view.addSignalListener("hover", (_, found) => {
    const place = found?.i?.[0];
    if (place !== undefined && place !== at) show(place);
  });
  plot.addEventListener("keydown", (event) => {
    const row = perRow ?? 1;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - row, ArrowDown: at + row, Home: 0,
      End: texts.length - 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    if (at < 0) show(0);
    else if (to >= 0 && to < texts.length) show(to);
  });
}

function copies(button) {
  const code = button.closest(".snippet").querySelector("code");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code); // the reader copies the selection
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 3000);
  });
}

async function drawAll() {
  const config = JSON.parse(document.getElementById("figure-config").textContent);
  for (const figure of document.querySelectorAll("figure.chart")) await draw(figure, config);
  document.documentElement.dataset.drawn = "yes";
}

document.querySelectorAll("button.copy").forEach(copies);
drawAll();
