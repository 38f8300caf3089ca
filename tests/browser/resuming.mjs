// node resuming.mjs SETTINGS: boards follow their tenants while one's network fails; prints what they were told as JSON.
import { setTimeout as sleep } from "node:timers/promises";

import { Board } from "./board.mjs";
import { launch, report } from "./chromium.mjs";
import { Member } from "./member.mjs";
import { Network } from "./network.mjs";

const { origin, screenshot, tokens, outageSeconds } = JSON.parse(process.argv[2]);

const browser = await launch();
const network = await new Network().open();
const near = await Board.open(browser, origin, tokens.acme);
const far = await Board.open(browser, origin, tokens.acme, { proxy: network.proxy });
const foreign = await Board.open(browser, origin, tokens.globex);
const acme = new Member(origin, tokens.acme);
const globex = new Member(origin, tokens.globex);
const tasks = [];

/** Works on the tasks in turn. */
const rename = (title) => acme.rename(tasks[acme.done.length % tasks.length], title);

async function begin() {
  for (const title of ["first of acme", "second of acme"]) {
    tasks.push(await acme.create(title));
    for (const board of [near, far]) await board.tells(title);
  }
  await globex.create("first of globex");
  await foreign.tells("first of globex");
}

async function live() {
  const titles = Array.from({ length: 8 }, (_, turn) => `live ${turn + 1}`);
  for (const title of titles) {
    await rename(title);
    for (const board of [near, far]) await board.tells(title);
  }
  return titles;
}

/** Work goes on, at least five times, while the far board's network is down, and once more when it is up again. */
async function outage(name, fail, isLongEnough) {
  const before = { ...(await far.told()), refused: network.refused };
  fail();
  const began = Date.now();
  const refused = () => network.refused - before.refused;
  for (let turn = 1; turn <= 5 || !isLongEnough((Date.now() - began) / 1000, refused()); turn++) {
    await rename(`${name} ${turn}`);
    await near.tells(`${name} ${turn}`);
    await sleep(100);
  }
  const meanwhile = await far.told();
  network.mend();
  const mended = Date.now();
  await rename(`after ${name}`);
  for (const board of [near, far]) await board.tells(`after ${name}`);
  const after = await far.told();
  return {
    refused: refused(),
    toldMeanwhile: meanwhile.changes.length - before.changes.length,
    newSockets: after.sockets - before.sockets,
    seconds: (mended - began) / 1000,
    caughtUpSeconds: (after.changes.at(-1).at - mended) / 1000,
  };
}

await report(near, screenshot, async () => {
  await begin();
  const liveTitles = await live();
  const outages = {
    short: await outage("cut for a moment", () => network.cut(), () => true),
    long: await outage("cut for long", () => network.cut(), (seconds, refused) => seconds > outageSeconds && refused > 1),
    silent: await outage("lost", () => network.lose(), (_, refused) => refused > 0),
    frozen: await outage("frozen", () => network.freeze(), () => true),
  };
  await globex.create("last of globex");
  await foreign.tells("last of globex");
  return {
    liveTitles,
    outages,
    done: { acme: acme.done, globex: globex.done },
    boards: { near: await near.seen(), far: await far.seen(), foreign: await foreign.seen() },
  };
});
network.close();
