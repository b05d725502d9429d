// Pictures on their way to the hub: photos become as small as a screen needs them, drawings stay as they are.

/** So many bytes the hub takes. */
const BYTES_MAX = 4 << 20
/** Pixels of the longer side: enough for a large screen. */
const SIDE_MAX = 2000
/** What is that small goes as it is, if it is no photo. */
const SMALL = 1 << 20

/** The picture as it is sent. A photo is always drawn anew: upright, and without where it was taken. */
export async function made(file: File): Promise<Blob> {
  const isDrawing = file.type === 'image/svg+xml' || /\.svg$/i.test(file.name)
  const bitmap = isDrawing ? undefined : await createImageBitmap(file, { imageOrientation: 'from-image' }).catch(() => undefined)
  // What this browser cannot read the hub looks at, and says what it is.
  if (!bitmap) return short(file)
  try {
    const longer = Math.max(bitmap.width, bitmap.height)
    if (longer <= SIDE_MAX && file.size <= SMALL && /^image\/(png|webp)$/.test(file.type)) return file
    const scale = Math.min(1, SIDE_MAX / longer)
    const canvas = document.createElement('canvas')
    canvas.width = Math.max(1, Math.round(bitmap.width * scale))
    canvas.height = Math.max(1, Math.round(bitmap.height * scale))
    const draw = canvas.getContext('2d')
    if (!draw) return short(file)
    draw.imageSmoothingQuality = 'high'
    draw.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
    const written = await write(canvas, 'image/webp', 0.88)
    if (written?.type === 'image/webp') return short(written)
    // Not every browser writes WebP, and JPEG shows nothing through.
    draw.globalCompositeOperation = 'destination-over'
    draw.fillStyle = 'white'
    draw.fillRect(0, 0, canvas.width, canvas.height)
    return short((await write(canvas, 'image/jpeg', 0.86)) ?? file)
  } finally {
    bitmap.close()
  }
}

const write = (canvas: HTMLCanvasElement, type: string, quality: number) => new Promise<Blob | null>((done) => canvas.toBlob(done, type, quality))

function short(picture: Blob): Blob {
  if (picture.size <= BYTES_MAX) return picture
  throw new Error(`this file has ${Math.ceil(picture.size / 100_000) / 10} MB; a plan may have ${BYTES_MAX >> 20} MB. Save it smaller, or as a PNG or JPEG picture: these are shrunk here`)
}

/** Whether a picture is lines on paper, and no photo of one: most of it is quite white, or nothing. */
export function isPaper(picture: HTMLImageElement): boolean {
  const side = 48
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = side
  const draw = canvas.getContext('2d', { willReadFrequently: true })
  if (!draw) return false
  draw.fillStyle = 'white'
  draw.fillRect(0, 0, side, side)
  try {
    draw.drawImage(picture, 0, 0, side, side)
    const { data } = draw.getImageData(0, 0, side, side)
    let light = 0
    for (let at = 0; at < data.length; at += 4) if (Math.min(data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0) > 225) light++
    return light > 0.7 * side * side
  } catch {
    return false // A browser that does not tell what is in a drawing.
  }
}
