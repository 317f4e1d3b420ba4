"use strict";
const data = JSON.parse(document.getElementById("data").textContent);

const make = (name, settings = {}, ...content) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(settings)) {
    if (key in element && key !== "role") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...content);
  return element;
};
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const say = (text) => { document.getElementById("status").textContent = text; };

// The theme: automatic follows the system.
{
  const button = document.getElementById("theme");
  const themes = ["automatic", "light", "dark"];
  const stored = () => { try { return localStorage.getItem("realdeg-theme"); } catch { return null; } };
  let theme = themes.includes(stored()) ? stored() : "automatic";
  const apply = () => {
    if (theme === "automatic") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    try { localStorage.setItem("realdeg-theme", theme); } catch { /* a private window */ }
    apply();
  });
  // Paper is white.
  window.addEventListener("beforeprint", () => {
    document.documentElement.dataset.theme = "light";
    document.querySelectorAll("details:not([open])").forEach((one) => {
      one.open = true;
      one.dataset.closed = "yes";
    });
  });
  window.addEventListener("afterprint", () => {
    document.querySelectorAll("details[data-closed]").forEach((one) => {
      one.open = false;
      delete one.dataset.closed;
    });
    apply();
  });
  apply();
}

const save = (name, text, type) => {
  const address = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
  say(`saved ${name}`);
};

const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { // some browsers refuse that to a page from a file
    const area = make("textarea", { value: text, className: "spoken" });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
};

document.querySelectorAll("button[data-table]").forEach((button) => {
  const { table, kind, action } = button.dataset;
  const label = button.textContent;
  button.addEventListener("click", async () => {
    const text = data.tables[table][kind];
    if (action === "save") {
      save(`${table}.${kind === "csv" ? "csv" : "tex"}`, text, "text/plain;charset=utf-8");
      return;
    }
    const done = await copy(text);
    button.textContent = done ? "Copied" : "Not copied";
    say(done ? `${label}: copied` : "The browser did not allow copying; save instead.");
    button.focus();
    setTimeout(() => { button.textContent = label; }, 1500);
  });
});
