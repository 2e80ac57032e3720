// A label map as niivue opens it: its voxels, in its own order of axes (x fastest), and the place of four of them in RAS mm.
// node niivue.mjs FILE, where @niivue/niivue can be found from this file.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { NVImage } from "@niivue/niivue";

const bytes = readFileSync(process.argv[2]);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
const image = await NVImage.new(buffer, basename(process.argv[2]));
const shape = Array.from(image.dimsRAS).slice(1, 4);
const values = [];
for (let z = 0; z < shape[2]; z++)
  for (let y = 0; y < shape[1]; y++) for (let x = 0; x < shape[0]; x++) values.push(image.getValue(x, y, z));
const places = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]].map((v) => Array.from(image.vox2mm(v, image.matRAS)));
console.log(JSON.stringify({ shape, values, places }));
