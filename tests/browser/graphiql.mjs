// node graphiql.mjs SETTINGS: walks GraphiQL as a newcomer would and prints what it saw as JSON.
import { launch, report, visit } from "./chromium.mjs";

const { origin, screenshot } = JSON.parse(process.argv[2]);
const visitor = await visit(await launch(), origin);
const { page, problems } = visitor;

// Monaco draws spaces as no-break spaces, and only the lines that fit.
const shown = async (pane) => (await page.locator(pane).innerText()).replaceAll("\u00a0", " ");

async function ready() {
  await page.locator(".graphiql-query-editor .view-line").first().waitFor();
  await page.locator(".graphiql-response .monaco-editor").waitFor();
}

async function run() {
  const answered = page.waitForResponse(
    (response) => response.request().method() === "POST" && !response.request().postData().includes("__schema"),
  );
  await page.locator(".graphiql-execute-button").click();
  const response = await answered;
  await page.locator(".graphiql-response .view-line", { hasText: /"(data|errors)"/ }).first().waitFor();
  const authorization = await response.request().headerValue("authorization");
  return { authorization, body: await response.json(), pane: await shown(".graphiql-response") };
}

const servedTokens = () =>
  page.evaluate(() => JSON.parse(document.getElementById("graphiql").dataset.config).tabs.map(({ token }) => token));

async function walk() {
  const seen = {};
  await page.goto(origin);
  await ready();
  seen.tokens = await servedTokens();
  seen.titles = await page.locator(".graphiql-tab-button").allInnerTexts();
  seen.query = await shown(".graphiql-query-editor");
  seen.headers = await shown(".graphiql-editor-tool");
  seen.first = await run();

  await page.locator(".graphiql-tab-button", { hasText: seen.titles[1] }).click();
  // GraphiQL reads the operation's name 100 ms after the text has changed, and stores the text then.
  await page.waitForFunction((name) => localStorage.getItem("graphiql:query")?.includes(`query ${name}`), seen.titles[1]);
  seen.second = await run();

  await page.getByRole("button", { name: "Show GraphiQL Explorer" }).click();
  await page.locator(".docExplorerWrap", { hasText: "tasks" }).waitFor();

  // The saved tabs hold the tokens of the first visit; the page brings new ones.
  await page.waitForFunction(
    (token) =>
      localStorage.getItem("graphiql:tabState")?.includes('"activeTabIndex":1') &&
      localStorage.getItem("graphiql:headers")?.includes(token),
    seen.tokens[1],
  );
  await page.reload();
  await ready();
  seen.renewedTokens = await servedTokens();
  seen.reloaded = await run();
  return seen;
}

await report(visitor, screenshot, async () => ({ ...(await walk()), problems }));
