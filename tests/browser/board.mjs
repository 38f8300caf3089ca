// A board (page/) in a page of its own.
import { readFile } from "node:fs/promises";

import { eventually, visit } from "./chromium.mjs";

const PAGE = new URL("page/", import.meta.url);
const SERVED = {
  "/board/board.mjs": new URL("board.mjs", PAGE),
  "/board/connect.mjs": new URL("../clients/node/connect.mjs", import.meta.url),
  "/board/resume.mjs": new URL("../clients/node/resume.mjs", import.meta.url),
  "/board/graphql-ws/": new URL("../clients/node/node_modules/graphql-ws/dist/", import.meta.url),
};

async function serve(route) {
  const { pathname } = new URL(route.request().url());
  const [prefix, place] = Object.entries(SERVED).find(([known]) => pathname.startsWith(known));
  const body = await readFile(new URL(pathname.slice(prefix.length), place));
  await route.fulfill({ contentType: "text/javascript", body });
}

export class Board {
  constructor({ page, problems }) {
    Object.assign(this, { page, problems });
  }

  /** Opened, and its socket too. */
  static async open(browser, origin, token, options) {
    const board = new Board(await visit(browser, origin, { bypassCSP: true, ...options }));
    const { page } = board;
    await page.context().route(`${origin}/board/**`, serve);
    // Written over a page that the server did send: Chromium lets no other open a socket to this machine.
    await page.goto(`${origin}/health`);
    await page.setContent(await readFile(new URL("index.html", PAGE), "utf8"));
    await page.waitForFunction(() => window.follow);
    await page.evaluate((given) => void window.follow(given), token);
    await eventually("the board's socket", async () => (await board.told()).sockets);
    return board;
  }

  told() {
    return this.page.evaluate(() => window.board);
  }

  async tells(title) {
    const isTold = (given) => window.board.changes.some((change) => change.title === given);
    await eventually(`"${title}" on a board`, () => this.page.evaluate(isTold, title));
  }

  async seen() {
    return { ...(await this.told()), problems: this.problems };
  }
}
