// node subscribing.mjs SETTINGS: GraphiQL subscribes on two tenants' tabs; prints what each was told as JSON.
import { setTimeout as sleep } from "node:timers/promises";

import { eventually, launch, report, visit } from "./chromium.mjs";
import { Member } from "./member.mjs";

const { origin, screenshot, tokens } = JSON.parse(process.argv[2]);
const SUBSCRIPTION = "subscription { taskChanged { action task { title } } }";

/** GraphiQL, the frames of its sockets overheard, and what happens to a task of the tenant. */
class Listener {
  sockets = [];

  static async open(browser, tenant) {
    const listener = new Listener();
    const { page, problems } = await visit(browser, origin, { permissions: ["clipboard-read", "clipboard-write"] });
    Object.assign(listener, { page, problems, tenant, member: new Member(origin, tokens[tenant]) });
    page.on("websocket", (socket) => listener.#overhear(socket));
    await page.goto(origin);
    await page.locator(".graphiql-query-editor .view-line").first().waitFor();
    return listener;
  }

  #overhear(socket) {
    const heard = { sent: [], received: [], isClosed: false };
    this.sockets.push(heard);
    socket.on("framesent", ({ payload }) => heard.sent.push(JSON.parse(payload)));
    socket.on("framereceived", ({ payload }) => heard.received.push(JSON.parse(payload)));
    socket.on("close", () => (heard.isClosed = true));
  }

  async subscribe() {
    await this.page.locator(".graphiql-tab-button", { hasText: this.tenant }).click();
    // The editor is filled after its tab was chosen: what is typed before that is lost.
    await this.page.locator(".graphiql-query-editor .view-line", { hasText: `query ${this.tenant}` }).waitFor();
    await this.#paste(".graphiql-query-editor", SUBSCRIPTION);
    await this.page.waitForFunction((text) => localStorage.getItem("graphiql:query") === text, SUBSCRIPTION);
    await this.run();
  }

  /** Starts what is in the editor, or stops what runs. */
  async run() {
    await this.page.locator(".graphiql-execute-button").click();
  }

  async signInAs(token) {
    await this.#paste(".graphiql-editor-tool", JSON.stringify({ Authorization: `Bearer ${token}` }));
    await this.page.waitForFunction((text) => localStorage.getItem("graphiql:headers")?.includes(text), token);
  }

  // Typed text gets closing brackets and quotes of Monaco's own.
  async #paste(pane, text) {
    await this.page.evaluate((copied) => navigator.clipboard.writeText(copied), text);
    await this.page.locator(`${pane} .view-lines:visible`).click();
    await this.page.keyboard.press("Control+A");
    await this.page.keyboard.press("Control+V");
  }

  // Monaco draws spaces as no-break spaces, and wraps long lines.
  async shown() {
    return (await this.page.locator(".graphiql-response").innerText()).replace(/\s+/g, " ");
  }

  async shows(title) {
    await eventually(`"${title}" in the page`, async () => (await this.shown()).includes(title));
  }

  /** A subscription is not acknowledged: it has begun when a change comes. */
  async begin(title) {
    this.task ??= await this.member.create(`${this.tenant} task`);
    let attempts = 0;
    await eventually(`a change of ${this.tenant}`, async () => {
      await this.member.rename(this.task, `${title} ${++attempts}`);
      await sleep(300);
      return (await this.shown()).includes(title);
    });
  }

  /** How many seconds it took to show. */
  async change(title) {
    await this.member.rename(this.task, title);
    await this.shows(title);
    return (Date.now() - this.member.done.at(-1).at) / 1000;
  }

  get pageTokens() {
    const read = () => JSON.parse(document.getElementById("graphiql").dataset.config).tabs;
    return this.page.evaluate(read).then((tabs) => Object.fromEntries(tabs.map(({ name, token }) => [name, token])));
  }

  async seen() {
    return { sockets: this.sockets, problems: this.problems, token: (await this.pageTokens)[this.tenant] };
  }
}

const browser = await launch();
const acme = await Listener.open(browser, "acme");

await report(acme, screenshot, async () => {
  const globex = await Listener.open(browser, "globex");
  await acme.subscribe();
  await acme.begin("acme listens");
  await globex.subscribe();
  await globex.begin("globex listens");

  await globex.change("globex alone");
  const seconds = await acme.change("acme alone");
  await globex.change("globex again");
  await acme.change("acme again");
  const pane = await acme.shown();

  await acme.run();
  await eventually("the socket's end", () => acme.sockets[0].isClosed);
  await acme.signInAs(tokens.acme);
  await acme.run();
  await acme.begin("another's token");
  return { seconds, pane, acme: await acme.seen(), globex: await globex.seen() };
});
