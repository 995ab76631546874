"use strict";
// The page can be read without this script: it adds buttons that sort tables, and a filter of the items.

const value = (row, column) => {
  const text = row.cells[column].textContent.trim();
  const number = text === "" ? NaN : Number(text.replace(/[,$]/g, "").replace("\u2212", "-"));
  return { text, number };
};

// Numbers go before texts, and empty cells last in either order.
const compare = (one, other, direction) => {
  if (one.text === "" || other.text === "") return (one.text === "") - (other.text === "");
  const numeric = !Number.isNaN(one.number) && !Number.isNaN(other.number);
  const order = numeric ? one.number - other.number : one.text.localeCompare(other.text, "en", { numeric: true });
  return order * direction;
};

const sort = (table, head) => {
  const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
  const body = table.tBodies[0];
  const keyed = Array.from(body.rows, (row) => ({ row, key: value(row, head.cellIndex) }));
  keyed.sort((one, other) => compare(one.key, other.key, direction));
  body.append(...keyed.map((one) => one.row));
};

for (const table of document.querySelectorAll("table.sortable")) {
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, head));
    head.append(button);
  }
}

const tools = document.querySelector(".tools");
if (tools) {
  const rows = Array.from(document.querySelector("table.items").tBodies[0].rows, (row) => ({
    row,
    status: row.cells[3].textContent,
    text: row.textContent.toLowerCase(),
  }));
  const [words, status] = [tools.querySelector("input"), tools.querySelector("select")];
  const told = tools.querySelector("output");
  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const one of rows) {
      const fits =
        (status.value === "" || one.status === status.value) && wanted.every((word) => one.text.includes(word));
      one.row.hidden = !fits;
      shown += fits;
    }
    told.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
  };
  words.addEventListener("input", filter);
  status.addEventListener("change", filter);
  tools.hidden = false;
  filter();
}
