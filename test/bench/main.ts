/**
 * `make bench`: the figures, each beside its limit, on a real control plane. They are told, not judged: the exit code is 0
 * unless something broke. `--quick` uses small sizes; `--only start,pods,ecdsa,rsa,many,profiles,rotation,render,authority,probes` leaves the others out.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Bench } from './bench.ts'
import { authority } from './cases/authority.ts'
import { ecdsa, type EcdsaResult } from './cases/ecdsa.ts'
import { many } from './cases/many.ts'
import { profiles } from './cases/profiles.ts'
import { pods } from './cases/pods.ts'
import { probes } from './cases/probes.ts'
import { render } from './cases/render.ts'
import { revocationList } from './cases/revocation-list.ts'
import { rotation } from './cases/rotation.ts'
import { rsa } from './cases/rsa.ts'
import { start } from './cases/start.ts'
import { holds, table } from './figures.ts'
import type { Figure } from './figures.ts'
import { commit, machine, noise } from './machine.ts'
import { besidePool } from './processors.ts'
import { withProgram } from './program.ts'
import { fullSizes, quickSizes } from './sizes.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: 'start,pods,ecdsa,rsa,many,profiles,rotation,render,authority,probes' },
  },
})
const sizes = values.quick ? quickSizes : fullSizes
const wanted = new Set(values.only.split(','))
const began = performance.now()
const say = (text: string): void => console.error(`[${((performance.now() - began) / 1000).toFixed(0)} s] ${text}`)

const onPlane = async <R>(program: string, use: (bench: Bench) => Promise<R>): Promise<R> => {
  const bench = await Bench.start(program)
  try {
    return await use(bench)
  } finally {
    await bench.stop()
  }
}

const about = {
  commit: await commit(),
  date: new Date().toISOString(),
  machine: machine(),
  busyProcessorsBefore: Number((await noise()).toFixed(2)),
  quick: values.quick,
}
say(`commit ${about.commit}, ${about.busyProcessorsBefore} processors busy with other things`)

const figures: Figure[] = []
await withProgram(async (program) => {
  if (wanted.has('start')) figures.push(...(await onPlane(program, (bench) => start(bench, sizes))))
  if (wanted.has('pods')) figures.push(...pods(say))
  let few: EcdsaResult | undefined
  if (wanted.has('ecdsa')) {
    few = await onPlane(program, (bench) => ecdsa(bench, sizes, say))
    figures.push(...few.figures)
  }
  if (wanted.has('rsa')) figures.push(...(await besidePool(() => onPlane(program, (bench) => rsa(bench, sizes, say)))))
  if (wanted.has('many')) figures.push(...(await onPlane(program, (bench) => many(bench, sizes, few, say))))
  if (wanted.has('profiles')) figures.push(...(await onPlane(program, (bench) => profiles(bench, sizes, say))))
  if (wanted.has('rotation')) figures.push(...(await onPlane(program, (bench) => rotation(bench, sizes, say))))
  if (wanted.has('render')) figures.push(...(await render(program, sizes)))
  if (wanted.has('probes')) figures.push(...(await probes(sizes, say)))
  if (wanted.has('authority')) {
    figures.push(...(await revocationList(sizes)))
    figures.push(...(await onPlane(program, (bench) => authority(bench, sizes, say))))
  }
})

mkdirSync('build', { recursive: true })
const results = figures.map((figure) => ({ ...figure, holds: holds(figure) }))
writeFileSync('build/bench.json', `${JSON.stringify({ ...about, figures: results }, undefined, 2)}\n`)
const { cores, memoryGB, processor, node } = about.machine
console.log(`dbtls ${about.commit}, ${about.date.slice(0, 16)}Z${values.quick ? ', quick' : ''}`)
console.log(
  `${cores} × ${processor}, ${memoryGB} GB, Node ${node}; ${about.busyProcessorsBefore} busy with other things`,
)
console.log(`\n${table(figures)}`)
