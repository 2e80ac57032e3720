/* The viewer of one scan: niivue's canvas and our few controls. `siilViewer.open(element, scan, labelColours)`.
   The library lies in a text/plain script element and is run when a viewer is first opened. */
"use strict";
const siilViewer = (() => {
  const WINDOWS = { bone: [-200, 1000], "soft tissue": [-150, 250], wide: [-500, 1300] };
  let niivue = null;

  function library() {
    if (!niivue) {
      const script = document.createElement("script");
      script.textContent = document.getElementById("niivue-bundle").textContent;
      document.head.appendChild(script);
      niivue = window.niivue;
    }
    return niivue;
  }

  function hasWebGL() {
    try { return !!document.createElement("canvas").getContext("webgl2"); } catch (error) { return false; }
  }

  function blobUrl(base64) {
    const text = atob(base64);
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    return URL.createObjectURL(new Blob([bytes]));
  }

  function make(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties || {});
    element.append(...children);
    return element;
  }

  function choices(label, names, chosen, choose) {
    const group = make("span", { className: "seg" });
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", label);
    for (const name of names) {
      const button = make("button", { type: "button", textContent: name });
      button.setAttribute("aria-pressed", String(name === chosen));
      button.addEventListener("click", () => {
        for (const other of group.children) other.setAttribute("aria-pressed", String(other === button));
        choose(name);
      });
      group.append(button);
    }
    return group;
  }

  async function open(root, scan, labelColours) {
    root.replaceChildren(make("h3", { textContent: scan.title }));
    if (!hasWebGL()) {
      root.append(make("p", { className: "missing", textContent:
        "This browser offers no WebGL 2, which the interactive viewer needs. Tables and figures do not need it." }));
      return null;
    }
    const canvas = make("canvas", { tabIndex: 0 });
    canvas.setAttribute("aria-label", "CT of " + scan.title + " with vertebrae in colour: three planes and a 3D view");
    const where = make("p", { className: "where", textContent: "Loading" });
    where.setAttribute("aria-live", "polite");
    const bar = make("div", { className: "bar" });
    root.append(bar, make("div", { className: "stage" }, canvas), where);

    const { Niivue, SLICE_TYPE, SHOW_RENDER } = library();
    const viewer = new Niivue({
      backColor: [0, 0, 0, 1], show3Dcrosshair: true, crosshairColor: [0.95, 0.75, 0.2, 0.8], crosshairWidth: 0.8, crosshairWidthUnit: "mm",
      isColorbar: false, isRadiologicalConvention: true, sagittalNoseLeft: true, dragAndDropEnabled: false, multiplanarShowRender: SHOW_RENDER.ALWAYS, logLevel: "error",
      isNearestInterpolation: false, crosshairGap: 10, fontSizeScaling: 0.35, fontMinPx: 11, tileMargin: 2,
    });
    viewer.onLocationChange = (place) => { where.textContent = describe(place, scan, labelColours); };
    await viewer.attachToCanvas(canvas);
    const [low, high] = WINDOWS.bone;
    const volumes = [{ url: blobUrl(scan.ct), name: "ct.nii.gz", colormap: "gray", cal_min: low, cal_max: high, opacity: 1 }];
    for (const layer of scan.layers) {
      volumes.push({ url: blobUrl(layer.data), name: "labels.nii.gz", colormap: "red", opacity: 0 });
    }
    await viewer.loadVolumes(volumes);
    for (const volume of volumes) URL.revokeObjectURL(volume.url);
    scan.layers.forEach((layer, position) => {
      const differ = { R: [0, 255], G: [0, 60], B: [0, 40], A: [0, 255], I: [0, 1], labels: ["", "differs"] };
      const colours = layer.kind === "labels" ? labelColours : differ;
      viewer.volumes[position + 1].setColormapLabel(JSON.parse(JSON.stringify(colours)));
    });

    const state = { shown: (scan.layers.find((layer) => layer.name === "prediction") || scan.layers[0]).name, opacity: 0.55 };
    const refresh = () => {
      scan.layers.forEach((layer, position) => {
        viewer.volumes[position + 1].opacity = layer.name === state.shown ? state.opacity : 0;
      });
      viewer.updateGLVolume();
    };
    const nothing = "CT alone";
    bar.append(choices("Layer", [...scan.layers.map((layer) => layer.name), nothing], state.shown, (name) => {
      state.shown = name;
      refresh();
    }));
    const views = { "planes and 3D": SLICE_TYPE.MULTIPLANAR, sagittal: SLICE_TYPE.SAGITTAL, coronal: SLICE_TYPE.CORONAL,
      axial: SLICE_TYPE.AXIAL, "3D": SLICE_TYPE.RENDER };
    bar.append(choices("View", Object.keys(views), "planes and 3D", (name) => viewer.setSliceType(views[name])));
    bar.append(choices("CT window", Object.keys(WINDOWS), "bone", (name) => {
      [viewer.volumes[0].cal_min, viewer.volumes[0].cal_max] = WINDOWS[name];
      viewer.updateGLVolume();
    }));
    const slider = make("input", { type: "range", min: 0, max: 1, step: 0.05, value: state.opacity });
    slider.addEventListener("input", () => { state.opacity = Number(slider.value); refresh(); });
    bar.append(make("label", {}, "opacity", slider));
    const outline = make("input", { type: "checkbox" });
    outline.addEventListener("change", () => viewer.setAtlasOutline(outline.checked ? 1 : 0));
    bar.append(make("label", {}, outline, "outlines"));

    viewer.setSliceType(SLICE_TYPE.MULTIPLANAR);
    viewer.setRenderAzimuthElevation(110, 8);
    refresh();
    viewer.scene.crosshairPos = viewer.mm2frac(scan.focus_mm);
    viewer.createOnLocationChange();
    viewer.drawScene();
    root.dataset.ready = "true";
    return viewer;
  }

  function describe(place, scan, labelColours) {
    const side = (value, plus, minus) => `${value < 0 ? minus : plus} ${Math.abs(value).toFixed(0)}`;
    const [x, y, z] = place.mm;
    const parts = [`${side(x, "R", "L")}, ${side(y, "A", "P")}, ${side(z, "S", "I")} mm`];
    const values = place.values || [];
    if (values.length) parts.push(`${Math.round(values[0].value)} HU`);
    scan.layers.forEach((layer, position) => {
      const value = values[position + 1] ? Math.round(values[position + 1].value) : 0;
      if (layer.kind !== "labels") return;
      const found = labelColours.I.indexOf(value);
      parts.push(`${layer.name}: ${value && found >= 0 ? labelColours.labels[found] : "none"}`);
    });
    return parts.join("   ·   ");
  }

  return { open };
})();
