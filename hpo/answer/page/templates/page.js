"use strict";
(function () {
  const tip = document.getElementById("tip");
  function show(mark) {
    tip.textContent = mark.dataset.tip;
    tip.hidden = false;
    const at = mark.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const wide = document.documentElement.clientWidth;
    const x = Math.min(Math.max(8, at.left + at.width / 2 - own.width / 2), wide - own.width - 8);
    const above = at.top - own.height - 8;
    tip.style.left = x + window.scrollX + "px";
    tip.style.top = (above < 4 ? at.bottom + 8 : above) + window.scrollY + "px";
  }
  function pointed(event) {
    const mark = event.target.closest ? event.target.closest("[data-tip]") : null;
    if (mark) show(mark); else tip.hidden = true;
  }
  document.addEventListener("pointerover", pointed);
  document.addEventListener("focusin", pointed);
  document.addEventListener("focusout", function () { tip.hidden = true; });
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") tip.hidden = true;
  });

  const table = document.getElementById("bought");
  if (table) {
    const body = table.tBodies[0];
    const heads = Array.from(table.tHead.rows[0].cells);
    const there = Array.from(body.rows).map(function (row) {
      const cells = Array.from(row.cells).map(function (cell) {
        if (!cell.classList.contains("number")) return cell.textContent;
        return Number(cell.dataset.v === undefined ? cell.textContent : cell.dataset.v);
      });
      return { row: row, cells: cells, text: row.textContent.toLowerCase() };
    });
    const rest = JSON.parse(document.getElementById("rest").textContent).map(function (pairs) {
      const words = pairs.map(function (pair) { return pair[0]; });
      return {
        row: null, words: words, cells: pairs.map(function (pair) { return pair[1]; }),
        text: words.join("").toLowerCase()
      };
    });
    const rows = there.concat(rest);
    rows.forEach(function (each, at) { each.at = at; });
    function element(each) {
      if (each.row) return each.row;
      each.row = document.createElement("tr");
      each.words.forEach(function (word, column) {
        const cell = each.row.insertCell();
        cell.textContent = word;
        if (typeof each.cells[column] === "number") cell.className = "number";
      });
      return each.row;
    }
    let order = rows, most = there.length;
    const more = document.getElementById("more");
    more.addEventListener("click", function () { most = Infinity; fill(); });
    const box = document.getElementById("filter"), said = document.getElementById("shown");
    function fill() {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      const all = document.createDocumentFragment();
      order.forEach(function (each) {
        const inside = words.every(function (word) { return each.text.includes(word); });
        each.inside = inside;
        count += inside;
        if (inside && count <= most) all.appendChild(element(each));
      });
      body.replaceChildren(all);
      more.hidden = count <= most;
      more.textContent = "Show all " + count;
      said.textContent = count + " of " + rows.length + " purchases";
    }
    heads.forEach(function (head, column) {
      head.firstElementChild.addEventListener("click", function () {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach(function (each) { each.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        order = rows.slice().sort(function (one, two) {
          const a = one.cells[column], b = two.cells[column];
          const by = a < b ? -1 : a > b ? 1 : 0;
          return (down ? -by : by) || one.at - two.at;
        });
        fill();
      });
    });
    box.addEventListener("input", fill);
    fill();
    function guarded(value) {
      if (typeof value === "number") return String(value);
      const text = /^[=+\-@\t\r]/.test(value) ? "'" + value : value;
      return /[",\r\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
    }
    function download(kind) {
      const names = heads.map(function (head) { return head.dataset.name; });
      const kept = order.filter(function (each) { return each.inside; });
      const lines = [names.join(",")].concat(kept.map(function (each) {
        return each.cells.map(guarded).join(",");
      }));
      const objects = kept.map(function (each) {
        return Object.fromEntries(names.map(function (name, at) { return [name, each.cells[at]]; }));
      });
      const text = kind === "csv" ? lines.join("\n") + "\n" : JSON.stringify(objects, null, 1) + "\n";
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "text/" + kind }));
      link.download = table.dataset.study + "-purchases." + kind;
      link.click();
      setTimeout(function () { URL.revokeObjectURL(link.href); }, 1000);
    }
    document.querySelectorAll("[data-download]").forEach(function (button) {
      button.addEventListener("click", function () { download(button.dataset.download); });
    });
  }

  if (document.body.hasAttribute("data-live")) {
    let seen = null;
    const ask = function () {
      fetch("state").then(function (reply) { return reply.text(); }).then(function (state) {
        if (seen !== null && state !== seen) location.reload();
        seen = state;
      }).catch(function () {
        document.querySelector(".live").textContent = "The server has ended; the page stays as it is.";
      });
    };
    ask();
    setInterval(ask, 400);
  }
})();
