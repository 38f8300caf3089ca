// Reads cases from standard input, writes one verdict per case: an independent reading of the policy language.
import { readFileSync } from "node:fs";
import { runSimulation } from "@cloud-copilot/iam-simulate";

const ACCOUNT = "123456789012";

async function verdict({ policy, action, resource, context }) {
  const simulation = {
    request: {
      principal: `arn:aws:iam::${ACCOUNT}:role/caller`,
      action,
      resource: { resource, accountId: ACCOUNT },
      contextVariables: context,
    },
    identityPolicies: [{ name: "policy", policy }],
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  };
  const answer = await runSimulation(simulation, { simulationMode: "Strict" });
  return answer.resultType === "single" ? answer.overallResult : JSON.stringify(answer);
}

const cases = JSON.parse(readFileSync(0, "utf8"));
const verdicts = [];
for (const each of cases) verdicts.push(await verdict(each));
process.stdout.write(JSON.stringify(verdicts));
