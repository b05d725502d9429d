// The floor plan of a place: a member `plan` of its description, in metres from the upper left corner. An area with a
// width and a height is a room or a piece of furniture; one without is where a thing stands. A place without one has the
// plan that the fences of its rooms and the positions of its things make, if these are in its frame. Below it all may lie
// a picture, which the hub keeps and names as `plan.image`.

import { keyOf, kindOf, type Description, type Key } from './td'

export interface Area {
  of: Key
  x: number
  y: number
  width?: number
  height?: number
}
/** The picture of a plan, in pixels. */
export interface Picture {
  hash: string
  width: number
  height: number
}
export interface Plan {
  width: number
  height: number
  unit: 'm'
  areas: Area[]
  image?: Picture
  /** Whose frame it was made of, and where its upper left corner is in it: there y grows upwards. */
  frame?: { of: Key; x: number; y: number }
}

/** What areas keep to while they are moved, in metres. */
export const STEP = 0.25
export const SIZE_MAX = 1000
/** How far from a wall things are drawn. */
const WALL = 0.5
const AREAS_MAX = 500
const FIRST = { width: 12, height: 8 }

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

function readPicture(image: unknown): Picture | undefined {
  if (!isObject(image)) return undefined
  const { hash, width, height } = image
  return typeof hash === 'string' && isNumber(width) && isNumber(height) && width > 0 && height > 0 ? { hash, width, height } : undefined
}

/** The plan as somebody wrote it, without what cannot be drawn. One that has a picture and no size is `made` of what is known
 * otherwise, or as large as a first one. */
export function readPlan(plan: unknown, made?: Plan): Plan | undefined {
  if (!isObject(plan)) return undefined
  const { width, height, areas } = plan
  const image = readPicture(plan.image)
  if (!isNumber(width) || !isNumber(height) || width <= 0 || height <= 0 || width > SIZE_MAX || height > SIZE_MAX) {
    return image && (made ? { ...made, image } : fitted({ ...FIRST, unit: 'm', areas: [], image }))
  }
  const read = (one: unknown): Area[] => {
    if (!isObject(one) || typeof one.of !== 'string' || !isNumber(one.x) || !isNumber(one.y)) return []
    const of = keyOf(one.of)
    if (!of) return []
    const size = isNumber(one.width) && isNumber(one.height) && one.width > 0 && one.height > 0 ? { width: one.width, height: one.height } : {}
    return [within({ of, x: one.x, y: one.y, ...size }, { width, height })]
  }
  return { width, height, unit: 'm', areas: (Array.isArray(areas) ? areas : []).slice(0, AREAS_MAX).flatMap(read), ...(image && { image }) }
}
export const planOf = (td: Description | undefined, made?: Plan): Plan | undefined => readPlan(td?.plan, made)

/** Another size of the whole, in which all that is on it keeps its place. */
export function scaled(plan: Plan, width: number, height: number): Plan {
  const [x, y] = [width / plan.width, height / plan.height]
  const round = (value: number) => Math.round(value * 100) / 100
  const areas = plan.areas.map((one): Area => {
    const size = one.width === undefined || one.height === undefined ? {} : { width: round(one.width * x), height: round(one.height * y) }
    return within({ ...one, x: round(one.x * x), y: round(one.y * y), ...size }, { width, height })
  })
  return { ...plan, width, height, areas }
}
/** The same plan as deep as its picture wants it to be. */
export function fitted(plan: Plan): Plan {
  if (!plan.image) return plan
  const height = Math.round(((100 * plan.width * plan.image.height) / plan.image.width)) / 100
  return Math.abs(height - plan.height) <= 0.01 * plan.height || height <= 0 || height > SIZE_MAX ? plan : scaled(plan, plan.width, height)
}

const clamp = (value: number, most: number) => Math.max(0, Math.min(value, most))
const snap = (value: number) => Math.round(value / STEP) * STEP

type Box = [x: number, y: number, toX: number, toY: number]

/** What a fence in a frame encloses, as a box. */
function boxOf(fence: Record<string, unknown>): Box | undefined {
  const all = Array.isArray(fence.bbox) ? fence.bbox.filter(isNumber) : []
  if (all.length === 4) return all as Box
  if (all.length === 6) return [all[0] ?? 0, all[1] ?? 0, all[3] ?? 0, all[4] ?? 0]
  const numbers = Array.isArray(fence.coordinates) ? fence.coordinates.flat(3) : []
  if (!numbers.every(isNumber) || numbers.length < 2) return undefined
  if (isNumber(fence.radius)) return [numbers[0]! - fence.radius, numbers[1]! - fence.radius, numbers[0]! + fence.radius, numbers[1]! + fence.radius]
  const [xs, ys] = [numbers.filter((_, at) => at % 2 === 0), numbers.filter((_, at) => at % 2 === 1)]
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]
}

/** Plans of frames: of all that says by its fence or its position that it is in one. */
export function framePlans(all: readonly (readonly [Key, Description])[]): Map<Key, Plan> {
  const boxes = new Map<Key, { of: Key; box: Box }[]>()
  const put = (frame: unknown, of: Key, box: Box | undefined) => {
    const at = typeof frame === 'string' ? keyOf(frame) : undefined
    if (!at || !box) return
    const there = boxes.get(at)
    if (there) there.push({ of, box })
    else boxes.set(at, [{ of, box }])
  }
  // Rooms come first: a plan has so many areas at most.
  for (const [of, { 'quartet:fence': fence }] of all) if (isObject(fence)) put(fence.frame, of, boxOf(fence))
  for (const [of, { 'quartet:position': at }] of all) if (isObject(at) && isNumber(at.x) && isNumber(at.y)) put(at.frame, of, [at.x, at.y, at.x, at.y])
  const plans = new Map<Key, Plan>()
  for (const [frame, all] of boxes) {
    const own = all.find(({ of }) => of === frame)?.box
    const [x, y, toX, toY] = own ?? [Math.min(...all.map(({ box }) => box[0])), Math.min(...all.map(({ box }) => box[1])), Math.max(...all.map(({ box }) => box[2])), Math.max(...all.map(({ box }) => box[3]))]
    const area = ({ of, box }: { of: Key; box: Box }): Area => {
      const [width, height] = [box[2] - box[0], box[3] - box[1]]
      return { of, x: box[0] - x, y: toY - box[3], ...(width > 0 && height > 0 ? { width, height } : {}) }
    }
    const plan = readPlan({ width: toX - x, height: toY - y, areas: all.filter(({ of }) => of !== frame).map(area) })
    if (plan) plans.set(frame, { ...plan, frame: { of: frame, x, y: toY } })
  }
  return plans
}

/** The same area where the plan has room for it. */
export function within(area: Area, { width, height }: { width: number; height: number }): Area {
  if (area.width === undefined || area.height === undefined) return { ...area, x: clamp(area.x, width), y: clamp(area.y, height) }
  const [w, h] = [Math.max(STEP, Math.min(area.width, width)), Math.max(STEP, Math.min(area.height, height))]
  return { ...area, width: w, height: h, x: clamp(area.x, width - w), y: clamp(area.y, height - h) }
}
const move = (area: Area, x: number, y: number, plan: Plan): Area => within({ ...area, x: snap(x), y: snap(y) }, plan)

/** Things that stand in an area. */
export const riders = (plan: Plan, { x, y, width, height }: Area): Set<Key> =>
  new Set(plan.areas.filter((one) => width !== undefined && height !== undefined && one.width === undefined && one.x >= x && one.x <= x + width && one.y >= y && one.y <= y + height).map(({ of }) => of))
/** An area is moved, and what stands in it with it. */
export function carry(plan: Plan, of: Key, x: number, y: number, along: ReadonlySet<Key>): Plan {
  const before = plan.areas.find((area) => area.of === of)
  if (!before) return plan
  const after = move(before, x, y, plan)
  const [dx, dy] = [after.x - before.x, after.y - before.y]
  return { ...plan, areas: plan.areas.map((area) => (area.of === of ? after : along.has(area.of) ? within({ ...area, x: area.x + dx, y: area.y + dy }, plan) : area)) }
}

/** An area gets another size, and what stands in it stays in it. */
export function resize(plan: Plan, of: Key, width: number, height: number, along: ReadonlySet<Key>): Plan {
  const areas = plan.areas.map((area): Area => {
    if (area.of !== of || area.width === undefined) return area
    return within({ ...area, width: Math.min(snap(width), plan.width - area.x), height: Math.min(snap(height), plan.height - area.y) }, plan)
  })
  const room = areas.find((area) => area.of === of)
  if (room?.width === undefined || room.height === undefined) return plan
  const inside = (value: number, from: number, size: number) => Math.max(from + Math.min(WALL, size / 2), Math.min(value, from + size - Math.min(WALL, size / 2)))
  const { x, y, width: w, height: h } = room
  return { ...plan, areas: areas.map((area) => (along.has(area.of) ? { ...area, x: inside(area.x, x, w), y: inside(area.y, y, h) } : area)) }
}

/** Beside each other in rows, as wide as a plan is: a beginning that is then drawn to what is so. */
export function firstPlan(rooms: Key[], things: Key[], placeOf: ReadonlyMap<Key, Key>): Plan {
  const columns = Math.max(1, Math.ceil(Math.sqrt(rooms.length)))
  const rows = Math.max(1, Math.ceil(rooms.length / columns))
  const plan: Plan = { ...FIRST, unit: 'm', areas: [] }
  const [width, height] = [snap(plan.width / columns - STEP / 2), snap(plan.height / rows - STEP / 2)]
  plan.areas = rooms.map((of, at) => within({ of, x: snap((at % columns) * (plan.width / columns)), y: snap(Math.floor(at / columns) * (plan.height / rows)), width, height }, plan))
  for (const of of things) plan.areas.push(put(of, plan, placeOf))
  return plan
}

/** Where something new is put: a thing in its room, a room in the middle. */
export function put(of: Key, plan: Plan, placeOf: ReadonlyMap<Key, Key>): Area {
  if (kindOf(of) === 'places') return within({ of, x: snap(plan.width / 3), y: snap(plan.height / 3), width: 3, height: 3 }, plan)
  const room = plan.areas.find((area) => area.of === placeOf.get(of) && area.width !== undefined)
  const frame = { x: room?.x ?? 0, y: room?.y ?? 0, width: room?.width ?? plan.width, height: room?.height ?? plan.height }
  // Those that are there already stand in a row along the lower wall.
  const there = plan.areas.filter((area) => area.width === undefined && placeOf.get(area.of) === placeOf.get(of)).length
  const columns = Math.max(1, Math.floor(frame.width / 1.5))
  const x = frame.x + 0.75 + (there % columns) * 1.5
  const y = frame.y + frame.height - 1 - Math.floor(there / columns) * 1.25
  return within({ of, x: snap(Math.min(x, frame.x + frame.width - 0.5)), y: snap(Math.max(y, frame.y + 0.5)) }, plan)
}
