// Shows what a run has found as people read it. Text from pages is only ever set as text, never as markup.

const MOST_ROWS = 100;
const MOST_COLUMNS = 8;

export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isRecords = (value) => Array.isArray(value) && value.length > 0 && value.every(isObject);

function spell(value) {
  if (value === null) return "none";
  if (value === true) return "yes";
  if (value === false) return "no";
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((entry) => typeof entry !== "object")) return value.map(spell).join("\n");
  return JSON.stringify(value, null, 1);
}

// `places` maps the path of a property, `books.title`, to where its values stood; `path` is that of the list.
function makeTable(records, path, places) {
  const names = [...new Set(records.flatMap((record) => Object.keys(record)))].slice(0, MOST_COLUMNS);
  const table = make("table");
  const head = make("tr");
  for (const name of names) {
    const cell = make("th", "", name);
    cell.scope = "col";
    const place = places.get(`${path}.${name}`);
    if (place !== undefined) cell.append(make("span", "", place));
    head.append(cell);
  }
  const body = make("tbody");
  for (const record of records.slice(0, MOST_ROWS)) {
    const row = make("tr");
    for (const name of names) {
      const value = Object.hasOwn(record, name) ? record[name] : null;
      row.append(make("td", typeof value === "number" ? "number" : "", value === null ? "" : spell(value)));
    }
    body.append(row);
  }
  const top = make("thead");
  top.append(head);
  table.append(top, body);
  return table;
}

function makeValue(value, path, places) {
  if (value === null) return make("dd", "absent", "not on the page");
  if (Array.isArray(value) && value.length === 0) return make("dd", "absent", "an empty list");
  if (!isRecords(value)) return make("dd", "", spell(value));
  const cell = make("dd", "many");
  cell.append(makeTable(value, path, places));
  if (value.length > MOST_ROWS) cell.append(make("p", "more", `and ${value.length - MOST_ROWS} more`));
  return cell;
}

// `result` is undefined while it is not known; `places` maps the path of a property to where its value stood.
export function makeRows(result, places) {
  const known = [...new Set([...places.keys()].map((path) => path.split(/[.[]/)[0]))];
  const names = result === undefined ? known : Object.keys(result);
  return names.map((name) => {
    const row = make("div", result !== undefined && isRecords(result[name]) ? "wide" : "");
    const value = result === undefined ? make("dd", "coming") : makeValue(result[name], name, places);
    row.append(make("dt", "", name), value);
    if (places.has(name)) row.append(make("dd", "where", places.get(name)));
    return row;
  });
}
