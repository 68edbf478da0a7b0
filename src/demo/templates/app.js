// The sample products' own script: a clock over WebSocket and the activity feed.
// <p id="live"> and <p id="events"> say in data-state whether they are open; tests read that.
"use strict";

const say = (id, state, text) => {
  const element = document.getElementById(id);
  element.dataset.state = state;
  element.textContent = text;
};

const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const socket = new WebSocket(`${scheme}//${location.host}/live`);
socket.addEventListener("open", () => say("live", "open", "Connected"));
socket.addEventListener("message", (event) => { document.getElementById("clock").textContent = event.data; });
socket.addEventListener("close", (event) => {
  document.getElementById("live").dataset.code = String(event.code);
  say("live", "closed", `Closed (code ${event.code}${event.reason ? `, ${event.reason}` : ""})`);
});

const events = new EventSource("/events");
events.addEventListener("open", () => {
  document.getElementById("feed").replaceChildren();
  say("events", "open", "Connected");
});
events.addEventListener("activity", (event) => {
  const item = document.createElement("li");
  item.textContent = event.data;
  document.getElementById("feed").prepend(item);
});
events.addEventListener("error", () => {
  const gone = events.readyState === EventSource.CLOSED;
  say("events", gone ? "closed" : "connecting", gone ? "Closed" : "Connecting …");
});
