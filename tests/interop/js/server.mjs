// Servers that answer as the servers of the field do, without a DHT: what one of them publishes, the others of this process
// find. For tests of schedulers, and of whoever judges servers.
//
//   node server.mjs [--wire js|go-2023|go-2026] [--instances N] [--work MILLISECONDS] [--flaw NAME]
//
// Prints one line, {"ports": [...]}, once all of them listen on 127.0.0.1. They end with the process.
//
// `js` is the JavaScript server (fastify and its validation in front of js-libp2p), the others are Go servers of the two
// generations (plain net/http). What is known of them stands where it is imitated.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

// A test that was killed cannot end its children.
const LIFETIME_MS = 5 * 60 * 1000
const MAX_BODY_BYTES = 1 << 20
// The database keeps ports in a SMALLINT, and below 32768 Linux takes none for outgoing connections.
const PORTS = { first: 16384, count: 16384, tries: 100 }
const ROUTING_TABLE_SIZE = 202

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'
const SHA2_256 = [0x12, 0x20]
const CID_V1_RAW = [0x01, 0x55]

const { values: options } = parseArgs({
  options: {
    wire: { type: 'string', default: 'js' },
    instances: { type: 'string', default: '1' },
    work: { type: 'string', default: '20' },
    flaw: { type: 'string' }
  }
})

// Multihashes in hex. All servers of this process share them, as they would share a DHT.
const published = new Set()

function base58 (bytes) {
  let number = BigInt('0x' + Buffer.from(bytes).toString('hex'))
  let text = ''
  for (; number > 0n; number /= 58n) text = BASE58[Number(number % 58n)] + text
  return text
}

function fromBase58 (text) {
  let number = 0n
  for (const letter of text) {
    const digit = BASE58.indexOf(letter)
    if (digit < 0) throw new Error('no digit of base58')
    number = number * 58n + BigInt(digit)
  }
  const hex = number.toString(16)
  return Buffer.from(hex.padStart(hex.length + hex.length % 2, '0'), 'hex')
}

function base32 (bytes) {
  let text = ''
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    held = held << 8 | byte
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[held >> bits - 5 & 31]
    held &= (1 << bits) - 1
  }
  return bits > 0 ? text + BASE32[held << 5 - bits & 31] : text
}

function fromBase32 (text) {
  const bytes = []
  let bits = 0
  let held = 0
  for (const letter of text) {
    const digit = BASE32.indexOf(letter)
    if (digit < 0) throw new Error('no digit of base32')
    held = held << 5 | digit
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes.push(held >> bits & 255)
      held &= (1 << bits) - 1
    }
  }
  return Buffer.from(bytes)
}

// The multihash that a CID of either version names; only those of sha2-256 are known here.
function multihashOf (cid) {
  const bytes = cid.startsWith('Qm') ? fromBase58(cid) : fromV1(cid)
  if (bytes.length !== 34 || bytes[0] !== SHA2_256[0] || bytes[1] !== SHA2_256[1]) throw new Error('no sha2-256')
  return bytes
}

function fromV1 (cid) {
  if (!cid.startsWith('b')) throw new Error('unknown base')
  return fromBase32(cid.slice(1)).subarray(CID_V1_RAW.length)
}

function multihash (content) {
  return Buffer.from([...SHA2_256, ...createHash('sha256').update(content).digest()])
}

const cidV0 = base58
const cidV1 = multihash => 'b' + base32([...CID_V1_RAW, ...multihash])

// Publishing and finding: it takes a while, and somebody has it or nobody does.
async function publish (multihash) {
  await sleep(Number(options.work))
  published.add(multihash.toString('hex'))
}

async function find (multihash) {
  await sleep(Number(options.work))
  return published.has(multihash.toString('hex'))
}

const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json'
const text = (status, body) => ({ status, type: TEXT, body })

// fastify's own words for what it refuses, and for exceptions.
function fastifyError (status, error, message) {
  return { status, type: `${JSON_TYPE}; charset=utf-8`, body: JSON.stringify({ statusCode: status, error, message }) }
}

const js = {
  // Always, with a body of one blank: fastify makes something else of a 200 without one.
  readiness: () => text(200, ' '),

  parse (request, body) {
    const type = request.headers['content-type']
    if (type === undefined && body.length === 0) return { refused: fastifyError(400, 'Bad Request', 'body must be object') }
    if (!type?.startsWith(JSON_TYPE)) {
      return { refused: fastifyError(415, 'Unsupported Media Type', `Unsupported Media Type: ${type}`) }
    }
    try {
      return { json: JSON.parse(body) }
    } catch (error) {
      return { refused: fastifyError(400, 'Bad Request', error.message) }
    }
  },

  // Validated before the handler sees it: Content is base64 and nothing else.
  async provide (request, body) {
    const { json, refused } = js.parse(request, body)
    if (refused !== undefined) return refused
    if (typeof json?.Content !== 'string') return fastifyError(400, 'Bad Request', 'body/Content must be string')
    if (![undefined, 'DHT', 'IPNI'].includes(json.Target)) {
      return fastifyError(400, 'Bad Request', 'body/Target must be equal to one of the allowed values')
    }
    if (json.Target === 'IPNI') return text(400, '')
    const hash = multihash(Buffer.from(json.Content, 'base64'))
    const start = Date.now()
    await publish(hash)
    // The member Error is undefined on success, so that JSON leaves it out; the clock counts milliseconds.
    const answer = { CID: cidV1(hash), Duration: (Date.now() - start) * 1e6, RoutingTableSize: ROUTING_TABLE_SIZE }
    return { status: 200, type: JSON_TYPE, body: JSON.stringify(answer) }
  },

  async retrieve (request, body, cid) {
    const { refused } = js.parse(request, body)
    if (refused !== undefined) return refused
    let hash
    try {
      hash = multihashOf(cid)
    } catch (error) {
      return fastifyError(500, 'Internal Server Error', error.message)
    }
    const start = Date.now()
    const isThere = await find(hash)
    // Only what was found is timed.
    const answer = {
      CID: cid,
      Duration: isThere ? (Date.now() - start) * 1e6 : 0,
      RoutingTableSize: ROUTING_TABLE_SIZE,
      Error: isThere ? undefined : 'Did not find any providers'
    }
    return text(200, JSON.stringify(answer))
  },

  // No difference is made between a path and a method that is not there.
  elsewhere: (request) => fastifyError(404, 'Not Found', `Route ${request.method}:${request.url} not found`)
}

// What both Go generations have in common: bodies are read whatever their type is said to be, and []byte takes base64 as
// well as an array; an empty body is no JSON; the type of an answer is guessed by net/http.
function go (badJsonStatus, reason, answered) {
  const parse = (body) => {
    try {
      const json = JSON.parse(body)
      const content = json?.Content ?? ''
      return { content: Array.isArray(content) ? Buffer.from(content) : Buffer.from(content, 'base64') }
    } catch {
      return { refused: text(badJsonStatus, 'unexpected end of JSON input') }
    }
  }
  const timed = async (cid, step, work) => {
    const start = process.hrtime.bigint()
    const error = await work()
    return text(200, answered(cid, step, process.hrtime.bigint() - start, error))
  }
  return {
    readiness: () => text(200, ''),
    async provide (request, body) {
      const { content, refused } = parse(body)
      if (refused !== undefined) return refused
      const hash = multihash(content)
      return timed(cidV0(hash), 'provide', async () => { await publish(hash); return '' })
    },
    async retrieve (request, body, cid) {
      if (parse(body).refused !== undefined) return text(400, reason('unexpected end of JSON input'))
      let hash
      try {
        hash = multihashOf(cid)
      } catch {
        return text(400, reason('invalid cid'))
      }
      return timed(cid, 'retrieval', async () => await find(hash) ? '' : 'not found')
    },
    elsewhere: (request) => request.known ? text(405, 'Method Not Allowed\n') : text(404, '404 page not found\n')
  }
}

// 2023: the reason is written before the status of bad JSON, so that the status is 200; other refusals have no reason.
const go2023 = go(200, () => '', (cid, step, nanos, error) =>
  `{"CID":"${cid}","Duration":${nanos},"Error":${JSON.stringify(error)},"RoutingTableSize":${ROUTING_TABLE_SIZE}}`)

// 2026: everything that was measured stands in its step.
const go2026 = go(400, (reason) => reason + '\n', (cid, step, nanos, error) =>
  `{"CID":"${cid}","Measurements":[{"Step":"${step}","Duration":${nanos},"Error":${JSON.stringify(error)}}],` +
  `"RoutingTableSize":${ROUTING_TABLE_SIZE}}`)

const wires = { js, 'go-2023': go2023, 'go-2026': go2026 }

// Ways to be wrong, for those who have to notice.
const flaws = {
  'wrong-cid': (reply) => changed(reply, (answer) => { answer.CID = cidV0(multihash('something else')) }),
  milliseconds: (reply) => changed(reply, (answer) => { answer.Duration = Math.round(answer.Duration / 1e6) }),
  'always-found': (reply) => changed(reply, (answer) => { delete answer.Error }),
  'error-status': (reply) => reply.body.includes('Did not find') ? text(404, 'not found') : reply,
  'no-table-size': (reply) => changed(reply, (answer) => { delete answer.RoutingTableSize })
}

function changed (reply, change) {
  if (reply.status !== 200 || !reply.body.startsWith('{')) return reply
  const answer = JSON.parse(reply.body)
  change(answer)
  return { ...reply, body: JSON.stringify(answer) }
}

async function read (request) {
  const chunks = []
  let length = 0
  for await (const chunk of request) {
    length += chunk.length
    if (length > MAX_BODY_BYTES) throw new Error('body too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

async function route (wire, request) {
  const body = await read(request)
  const { pathname } = new URL(request.url, 'http://server')
  const cid = /^\/retrieve\/([^/]+)$/.exec(pathname)?.[1]
  if (request.method === 'GET' && pathname === '/readiness') return wire.readiness()
  if (request.method === 'POST' && pathname === '/provide') return wire.provide(request, body)
  if (request.method === 'POST' && cid !== undefined) return wire.retrieve(request, body, decodeURIComponent(cid))
  request.known = cid !== undefined || pathname === '/readiness' || pathname === '/provide'
  return wire.elsewhere(request)
}

function choose (kind, all, name) {
  if (Object.hasOwn(all, name)) return all[name]
  console.error(`unknown ${kind} ${name}; expected one of: ${Object.keys(all).join(', ')}`)
  process.exit(2)
}

function start () {
  const wire = choose('wire', wires, options.wire)
  const twist = options.flaw === undefined ? (reply) => reply : choose('flaw', flaws, options.flaw)
  const server = http.createServer((request, response) => {
    route(wire, request).then((reply) => {
      const { status, type, body } = twist(reply)
      response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body)
    }).catch(() => response.destroy())
  })
  return listen(server, PORTS.tries)
}

async function listen (server, tries) {
  const port = PORTS.first + Math.floor(Math.random() * PORTS.count)
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return port
  } catch (error) {
    if (error.code !== 'EADDRINUSE' || tries === 0) throw error
    return listen(server, tries - 1)
  }
}

setTimeout(() => process.exit(1), LIFETIME_MS).unref()
const ports = await Promise.all(Array.from({ length: Number(options.instances) }, start))
console.log(JSON.stringify({ ports }))
