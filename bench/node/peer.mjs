// graphql-lambda-subscriptions, told line by line what to do: a JSON object in, its answer out. It ends with its input.
// Environment: DYNAMODB_ENDPOINT, CONNECTIONS_ENDPOINT and what the AWS SDK reads.
import http from 'node:http'
import readline from 'node:readline'
import AWS from 'aws-sdk'
import { buildSchema } from 'graphql'
import { makeServer, subscribe } from 'graphql-lambda-subscriptions'

const LANES = 10

// As many connections as the other side has, and kept alive, which is not the SDK's default.
AWS.config.update({ httpOptions: { agent: new http.Agent({ keepAlive: true, maxSockets: 50 }) } })
const dynamodb = new AWS.DynamoDB({ endpoint: process.env.DYNAMODB_ENDPOINT })
const apiGatewayManagementApi = new AWS.ApiGatewayManagementApi({ endpoint: process.env.CONNECTIONS_ENDPOINT })

let executions = 0
let counted = null
AWS.events.on('complete', ({ request, httpResponse }) => {
  if (!counted || request.service.serviceIdentifier !== 'dynamodb') return
  const call = request.operation[0].toUpperCase() + request.operation.slice(1)
  counted.calls[call] = (counted.calls[call] ?? 0) + 1
  counted.bytes += request.httpRequest.body.length + httpResponse.body.length
})

const schema = buildSchema(`
  type Task { id: ID! title: String! status: String! priority: String! dueOn: String position: String! }
  type TaskChange { id: ID! action: String! at: String! version: Int! entityId: ID! task: Task! }
  type Query { nothing: Boolean }
  type Subscription { taskChanged(projectId: ID!): TaskChange }
`)
const { taskChanged } = schema.getSubscriptionType().getFields()
taskChanged.subscribe = subscribe('TASK_CHANGED', { filter: (_, { projectId }) => ({ projectId }) })
taskChanged.resolve = ({ payload }) => {
  executions += 1
  return payload
}

let server

async function open({ prefix }) {
  const tableNames = { connections: `${prefix}-connections`, subscriptions: `${prefix}-subscriptions` }
  const key = (name) => [{ AttributeName: name, KeyType: 'HASH' }]
  const index = (IndexName, name) => ({ IndexName, KeySchema: key(name), Projection: { ProjectionType: 'ALL' } })
  const text = (AttributeName) => ({ AttributeName, AttributeType: 'S' })
  const common = { BillingMode: 'PAY_PER_REQUEST', KeySchema: key('id') }
  await dynamodb
    .createTable({ ...common, TableName: tableNames.connections, AttributeDefinitions: [text('id')] })
    .promise()
  await dynamodb
    .createTable({
      ...common,
      TableName: tableNames.subscriptions,
      AttributeDefinitions: [text('id'), text('topic'), text('connectionId')],
      GlobalSecondaryIndexes: [index('ConnectionIndex', 'connectionId'), index('TopicIndex', 'topic')],
    })
    .promise()
  const onError = (error) => {
    throw error
  }
  server = makeServer({ schema, dynamodb, apiGatewayManagementApi, tableNames, onError })
}

const socketEvent = (connectionId, eventType, message) => ({
  requestContext: {
    connectionId,
    eventType,
    routeKey: { CONNECT: '$connect', MESSAGE: '$default' }[eventType],
    domainName: 'localhost',
    stage: 'bench',
    apiId: 'bench',
    requestId: 'bench',
    connectedAt: Date.now(),
    identity: { sourceIp: '192.0.2.1' },
  },
  body: message && JSON.stringify(message),
})

async function join({ from, payloads }) {
  const waiting = payloads.map((payload, offset) => ({ payload, id: `peer${from + offset}=` }))
  const lane = async () => {
    for (let next; (next = waiting.pop()); ) {
      await server.webSocketHandler(socketEvent(next.id, 'CONNECT'))
      await server.webSocketHandler(socketEvent(next.id, 'MESSAGE', { type: 'connection_init', payload: {} }))
      const message = { type: 'subscribe', id: '1', payload: next.payload }
      await server.webSocketHandler(socketEvent(next.id, 'MESSAGE', message))
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
}

async function publish({ payload }) {
  const started = process.cpuUsage()
  await server.publish({ topic: 'TASK_CHANGED', payload })
  const { user, system } = process.cpuUsage(started)
  return { seconds: (user + system) / 1e6 }
}

async function observe(order) {
  executions = 0
  counted = { calls: {}, bytes: 0 }
  await publish(order)
  const observed = { executions, ...counted }
  counted = null
  return observed
}

const orders = { open, join, publish, observe }
for await (const line of readline.createInterface({ input: process.stdin })) {
  const order = JSON.parse(line)
  console.log(JSON.stringify((await orders[order.do](order)) ?? {}))
}
