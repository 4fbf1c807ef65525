// The page works without this. It tells the server the viewer's time zone, brings the tab of
// the page into view on a phone, ticks all rows at once, and copies links.
(function () {
  "use strict";
  try {
    var zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone && document.body.dataset.zone === "unknown") {
      var had = document.cookie.indexOf("purser_zone=") >= 0;
      document.cookie = "purser_zone=" + encodeURIComponent(zone) + "; Path=/page; SameSite=Lax; Max-Age=31536000";
      if (!had && document.cookie.indexOf("purser_zone=") >= 0 && !document.querySelector(".told")) location.reload();
    }
  } catch (e) { /* times stay in UTC */ }

  var here = document.querySelector(".tabs [aria-current]");
  if (here) here.scrollIntoView({ block: "nearest", inline: "center" });

  document.querySelectorAll("[data-tick-all]").forEach(function (all) {
    all.hidden = false;
    all.addEventListener("change", function () {
      document.querySelectorAll("input[name='" + all.dataset.tickAll + "']").forEach(function (one) { one.checked = all.checked; });
    });
  });

  document.querySelectorAll("select[name=what]").forEach(function (what) {
    function show() {
      document.querySelectorAll("[data-for]").forEach(function (field) { field.hidden = field.dataset.for.split(" ").indexOf(what.value) < 0; });
    }
    what.addEventListener("change", show);
    show();
  });

  document.querySelectorAll("input.copy").forEach(function (input) {
    input.addEventListener("focus", function () { input.select(); });
  });
})();
