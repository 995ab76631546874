// Follows one run by its events. Text from pages and goals is only ever set as text, never as markup.
"use strict";

const find = (id) => document.getElementById(id);
const LABELS = {
  PENDING: "Waiting",
  RUNNING: "Running",
  COMPLETED: "Completed",
  FAILED: "Failed",
  CANCELLED: "Cancelled",
};
const here = location.pathname.replace(/\/+$/, "");
let run = null;
let skew = 0; // the agent's clock less this browser's, in seconds
let told = 0;
let matches = 0;
let shown = 0; // the step whose picture is shown
let isPinned = false; // a picture was picked, so newer ones do not replace it

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function seconds(value) {
  const s = Math.max(0, value);
  if (s < 60) return `${s.toFixed(1)} s`;
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
  if (run.is_over) showEnd();
}

function showEnd() {
  find("no-steps").textContent = "No step was taken.";
  if (run.error) {
    find("error-message").textContent = run.error.message ?? "";
    find("error-code").textContent = [run.error.category, run.error.code].filter(Boolean).join(" · ");
    find("error-panel").hidden = false;
  }
  if (run.status !== "COMPLETED") return;
  const isLeftOut = run.result === null && run.result_bytes > 0;
  find("result").textContent = isLeftOut
    ? `The result has ${run.result_bytes.toLocaleString()} bytes: ask the API for it.`
    : JSON.stringify(run.result, null, 2);
  find("result-panel").hidden = false;
}

function showPicture(number) {
  shown = number;
  find("picture").src = `${here}/steps/${number}/screenshot`;
  find("picture").alt = `The page after step ${number}`;
  find("picture-step").textContent = `after step ${number}`;
  find("picture-panel").hidden = false;
  for (const button of document.querySelectorAll(".steps button")) {
    button.setAttribute("aria-pressed", String(Number(button.value) === number));
  }
}

function addMatch(matched) {
  const row = make("tr");
  const name = make("th", "", matched.name);
  name.scope = "row";
  row.append(name, make("td", "", matched.where));
  find("matches").append(row);
  matches += 1;
  find("match-count").textContent = String(matches);
  find("matches-panel").hidden = false;
}

function addStep(step) {
  if (step.number <= told) return; // told again after a reconnect
  told = step.number;
  const list = find("steps");
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const item = make("li", step.matched ? "step match" : "step");
  const since = run ? step.at - (run.started_at ?? run.created_at) : 0;
  item.append(make("span", "at", `+${seconds(since)}`), make("span", "action", step.action));
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
  list.append(item);
  find("step-count").textContent = String(told);
  find("no-steps").hidden = true;
  if (isAtEnd) list.scrollTop = list.scrollHeight;
  if (step.matched) addMatch(step.matched);
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
