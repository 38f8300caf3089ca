// A headless Chromium that keeps to itself, and what goes wrong in its pages.
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

const { chromium } = createRequire(new URL("../node/package.json", import.meta.url))("playwright-core");
const PATIENCE = 30_000;

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });

/** A page with a newcomer's empty storage. `problems` grows by what it complains of and asks of other origins. */
export async function visit(browser, origin, options) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const problems = [];
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(`console: ${message.text()}`);
  });
  context.on("request", (request) => {
    const { protocol, origin: target } = new URL(request.url());
    if (protocol.startsWith("http") && target !== origin) problems.push(`other origin: ${request.url()}`);
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      console.error(`policy violation: ${violatedDirective} ${blockedURI}`),
    );
  });
  return { page, problems };
}

/** Prints what the walk saw as JSON, or how it failed; a picture of the page stays behind either way. */
export async function report({ page, problems }, screenshot, walk) {
  try {
    console.log(JSON.stringify(await walk()));
  } catch (error) {
    console.log(JSON.stringify({ error: error.stack, problems }));
    process.exitCode = 1;
  } finally {
    await page.screenshot({ path: screenshot });
    await page.context().browser().close();
  }
}

/** Returns as soon as it holds. */
export async function eventually(what, condition) {
  const deadline = Date.now() + PATIENCE;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${what}.`);
    await sleep(20);
  }
}
