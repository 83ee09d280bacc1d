// Shows the progress of runs. The server sends what changes; where it is gone, it is asked again, later each time.
"use strict";

const status = document.getElementById("live");
const list = document.getElementById("running");
let wait = 1000;

function line(run) {
  const item = document.createElement("li");
  const text = document.createElement("div");
  const rows = run.of ? `${run.rows.toLocaleString()} of ${run.of.toLocaleString()} rows` : `${run.rows.toLocaleString()} rows`;
  text.textContent = `${run.job}: ${run.stage ?? run.command}${run.stage ? `, ${rows}` : ""} (${run.run_id} on ${run.host})`;
  item.append(text);
  if (run.stage && run.of) {
    const bar = document.createElement("progress");
    bar.max = run.of;
    bar.value = run.rows;
    bar.setAttribute("aria-label", `rows of ${run.job}`);
    item.append(bar);
  }
  return item;
}

let seen = 0;

function show(runs) {
  if (!Array.isArray(runs)) {
    status.textContent = `The runs under way cannot be read: ${runs.error}`;
    return;
  }
  status.textContent = runs.length ? `${runs.length} under way` : "No run is under way.";
  list.replaceChildren(...runs.map(line));
  // A run that ended has a report that this page does not list yet.
  if (runs.length < seen) location.reload();
  seen = runs.length;
}

function listen() {
  const socket = new WebSocket(new URL("live", location.href.replace(/^http/, "ws")));
  socket.onopen = () => { wait = 1000; };
  socket.onmessage = (event) => show(JSON.parse(event.data));
  socket.onclose = () => {
    status.textContent = `The server does not answer; asked again in ${wait / 1000} s.`;
    setTimeout(listen, wait);
    wait = Math.min(wait * 2, 30000);
  };
}

listen();
