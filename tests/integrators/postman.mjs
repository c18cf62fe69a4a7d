// Runs a Postman collection as Newman would, as far as ours needs it, and prints what happened as JSON.
//   node postman.mjs COLLECTION BASE_URL FILE [rest]      with `rest` the other folders after the journey
import fs from "node:fs";
import vm from "node:vm";

const [path, base, upload, mode] = process.argv.slice(2);
const collection = JSON.parse(fs.readFileSync(path, "utf8"));
const variables = new Map(collection.variable.map(({ key, value }) => [key, value]));
variables.set("base_url", base);
const LEAVES = ["logout", "revoke session", "revoke other sessions", "change password", "change own password"];
const fill = (text) =>
  text.replaceAll(/\{\{([^}]+)\}\}/g, (whole, name) => {
    if (name === "$guid") return crypto.randomUUID();
    if (!variables.has(name)) throw new Error(`no variable ${name}`);
    return String(variables.get(name));
  });

function address({ host, path, variable = [], query = [] }) {
  const given = Object.fromEntries(variable.map(({ key, value }) => [key, encodeURIComponent(fill(value))]));
  const parts = path.map((part) => (part.startsWith(":") ? given[part.slice(1)] : part));
  const asked = query.filter((each) => !each.disabled).map(({ key, value }) => `${key}=${encodeURIComponent(fill(value))}`);
  return [fill(host.join(".")), ...parts].join("/") + (asked.length ? "?" + asked.join("&") : "");
}

async function send(request) {
  const headers = Object.fromEntries(request.header.map(({ key, value }) => [key, fill(value)]));
  const auth = request.auth ?? collection.auth;
  if (auth.type === "bearer") headers.Authorization = "Bearer " + fill(auth.bearer[0].value);
  let body;
  if (request.body?.mode === "raw") body = fill(request.body.raw);
  if (request.body?.mode === "formdata") {
    body = new FormData();
    body.append("file", new Blob([fs.readFileSync(upload)], { type: "image/png" }), "me.png");
  }
  const stop = new AbortController();
  const options = { method: request.method, headers, body, redirect: "manual", signal: stop.signal };
  const answer = await fetch(address(request.url), options);
  const streams = (answer.headers.get("content-type") ?? "").startsWith("text/event-stream");
  const text = streams ? "" : await answer.text();
  stop.abort();
  return { code: answer.status, text };
}

function run(events, listen, name, response) {
  const seen = { tests: [], next: undefined };
  const check = (value, sign) => { if (!sign(value)) throw new Error(`it is ${JSON.stringify(value)}`); };
  const pm = {
    info: { requestName: name },
    collectionVariables: { get: (key) => variables.get(key), set: (key, value) => variables.set(key, value) },
    execution: { setNextRequest: (next) => { seen.next = next; } },
    expect: (value) => ({ to: { eql: (other) => check(value, (one) => one === other) } }),
    response: response && {
      code: response.code,
      json: () => JSON.parse(response.text),
      to: { have: { status: (code) => check(response.code, (one) => one === code) } },
    },
    test: (title, body) => {
      try { body(); seen.tests.push([title, true]); }
      catch (error) { seen.tests.push([title, false, error.message]); }
    },
  };
  for (const event of (events ?? []).filter((each) => each.listen === listen))
    vm.runInNewContext(event.script.exec.join("\n"), { pm, setTimeout: () => {}, Date, Number }, { timeout: 1000 });
  return seen;
}

const results = [];
async function walk(items, told) {
  for (const item of items) {
    if (!told && LEAVES.includes(item.name)) continue;
    for (;;) {
      run(collection.event, "prerequest", item.name);
      const response = await send(item.request);
      const { tests, next } = run(item.event, "test", item.name, response);
      if (next === item.name) { await new Promise((go) => setTimeout(go, 100)); continue; }
      const shown = response.code < 400 ? "" : response.text.slice(0, 300);
      results.push({ name: item.name, method: item.request.method, path: item.request.url.raw, code: response.code, tests, shown });
      break;
    }
  }
}
const [journey, ...rest] = collection.item;
await walk(journey.item, true);
if (mode === "rest") for (const folder of rest) await walk(folder.item, false);
console.log(JSON.stringify(results));
