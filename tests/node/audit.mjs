// Runs the official GraphQL-over-HTTP audits against the URL given and prints each outcome as JSON.
import { serverAudits } from 'graphql-http'

const outcomes = []
for (const audit of serverAudits({ url: process.argv[2] })) {
  const { id, name, status, reason } = await audit.fn()
  outcomes.push({ id, name, status, reason })
}
console.log(JSON.stringify(outcomes))
