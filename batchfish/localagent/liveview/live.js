// Follows one run by its events. Text from pages and goals is only ever set as text, never as markup.
import { make, makeRows } from "/live/assets/found.js";

const find = (id) => document.getElementById(id);
const LABELS = {
  PENDING: "Waiting",
  RUNNING: "Running",
  COMPLETED: "Completed",
  FAILED: "Failed",
  CANCELLED: "Cancelled",
};
const EMPTY = {
  PENDING: "Waiting for its turn.",
  RUNNING: "Nothing yet: the run is working.",
  COMPLETED: "The run gave no result.",
  FAILED: "Nothing.",
  CANCELLED: "Nothing: the run was cancelled.",
};
const here = location.pathname.replace(/\/+$/, "");
const places = new Map(); // the path of a property, and where its value stood
let run = null;
let skew = 0; // the agent's clock less this browser's, in seconds
let told = 0;
let shown = 0; // the step whose picture is shown
let isPinned = false; // a picture was picked, so newer ones do not replace it

function seconds(value) {
  const s = Math.max(0, value);
  if (s < 60) return `${s.toFixed(s < 10 ? 2 : 1)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(Math.floor(s % 60)).padStart(2, "0")} s`;
  return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
}

function showStatus(status, label) {
  find("status").dataset.status = status;
  find("status").textContent = label;
}

function tick() {
  if (!run) return;
  const from = run.started_at ?? run.created_at;
  const to = run.finished_at ?? Date.now() / 1000 + skew;
  find("clock").textContent = seconds(to - from);
}

function showRun(next) {
  run = next;
  skew = run.now - Date.now() / 1000;
  showStatus(run.status, LABELS[run.status] ?? run.status);
  const link = find("url");
  link.textContent = run.url;
  if (/^https?:\/\//i.test(run.url)) link.href = run.url;
  find("goal").textContent = run.goal;
  find("run-id").textContent = run.run_id;
  document.title = `${LABELS[run.status] ?? run.status} · ${run.url}`;
  document.body.classList.toggle("over", run.is_over);
  tick();
  showFound();
  if (run.is_over) showEnd();
}

function showFound() {
  const result = run.status === "COMPLETED" && run.result !== null ? run.result : undefined;
  const isTable = result === undefined || (typeof result === "object" && !Array.isArray(result));
  const rows = !isTable || (run.is_over && result === undefined) ? [] : makeRows(result, places);
  find("found").replaceChildren(...rows);
  find("found-scroll").hidden = rows.length === 0;
  find("nothing").hidden = rows.length > 0 || result !== undefined;
  find("nothing").textContent = EMPTY[run.status] ?? "";
  find("found-panel").hidden = run.status === "FAILED";
}

function showEnd() {
  find("no-steps").textContent = "No step was taken.";
  if (run.error) {
    find("error-message").textContent = run.error.message ?? "";
    find("error-code").textContent = [run.error.category, run.error.code].filter(Boolean).join(" · ");
    find("error-panel").hidden = false;
  }
  if (run.violations.length > 0) {
    find("violations").replaceChildren(...run.violations.map((words) => make("li", "", words)));
    find("violations").hidden = false;
  }
  if (run.status !== "COMPLETED" || run.result_bytes === 0) return;
  const isLeftOut = run.result === null && run.result_bytes > "null".length;
  if (isLeftOut) {
    find("nothing").textContent = `The result has ${run.result_bytes.toLocaleString()} bytes: ask the API for it.`;
    return;
  }
  find("result").textContent = JSON.stringify(run.result, null, 2);
  find("json-panel").hidden = false;
  find("json-panel").open = find("found-scroll").hidden;
}

function showPicture(number) {
  shown = number;
  find("picture").src = `${here}/steps/${number}/screenshot`;
  find("picture").alt = `The page after step ${number}`;
  find("picture-step").textContent = `The page after step ${number}`;
  find("picture-panel").hidden = false;
  for (const button of document.querySelectorAll(".steps button")) {
    button.setAttribute("aria-pressed", String(Number(button.value) === number));
  }
}

function addStep(step) {
  if (step.number <= told) return; // told again after a reconnect
  told = step.number;
  const list = find("steps");
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const item = make("li", step.matched ? "step match" : "step");
  const since = run ? step.at - (run.started_at ?? run.created_at) : 0;
  const at = make("span", "at", `+${seconds(since)}`);
  item.append(make("span", "action", step.action));
  if (step.has_screenshot) {
    const button = make("button", "", "picture");
    button.type = "button";
    button.value = String(step.number);
    button.addEventListener("click", () => {
      isPinned = true;
      showPicture(step.number);
    });
    item.append(button);
  }
  item.append(at);
  list.append(item);
  find("step-count").textContent = String(told);
  find("no-steps").hidden = true;
  if (isAtEnd && !run?.is_over) list.scrollTop = list.scrollHeight;
  if (step.matched) {
    places.set(step.matched.name, step.matched.where);
    if (run) showFound();
  }
  if (step.has_screenshot && (!isPinned || shown === 0)) showPicture(step.number);
}

function notice(text) {
  find("notice").textContent = text;
  find("notice").hidden = !text;
}

const source = new EventSource(`${here}/events`);
source.addEventListener("open", () => notice(""));
source.addEventListener("run", (event) => showRun(JSON.parse(event.data)));
source.addEventListener("step", (event) => addStep(JSON.parse(event.data)));
source.addEventListener("end", () => source.close());
source.addEventListener("error", () => {
  if (source.readyState === EventSource.CLOSED) {
    showStatus("GONE", "Gone");
    notice("This run can no longer be watched: it ended more than a day ago, or the agent has forgotten it.");
  } else {
    notice("The connection to the agent is lost; trying again.");
  }
});
setInterval(() => {
  if (run && !run.is_over) tick();
}, 100);
