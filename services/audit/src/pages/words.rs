//! The words of the pages, in Chinese and in English: one table. What codes are called stands in [`super::codes`].

use hotline_events::Lang;

macro_rules! words {
    ($($name:ident $zh:literal $en:literal),* $(,)?) => {
        /// Every text that a template shows by name.
        #[derive(Debug)]
        pub(super) struct Words {
            $(pub(super) $name: &'static str,)*
        }

        static ZH: Words = Words { $($name: $zh,)* };
        static EN: Words = Words { $($name: $en,)* };
    };
}

words! {
    site "热线办结审计" "Hotline audit",
    site_under "办结记录 可查 可核 不可改" "Closure records that anybody can check and nobody can quietly change",
    skip "跳到正文" "Skip to the content",
    navigation "导航" "Navigation",
    language "语言" "Language",
    signed_in_as "当前用户" "Signed in as",
    sign_in "登录" "Sign in",
    sign_out "退出" "Sign out",
    token "令牌" "Token",
    token_hint "由管理员用 hotline token create 签发，以 hl_ 开头；本页只在浏览器中保存十二小时。"
        "Made by an operator with hotline token create; it begins with hl_. The browser keeps it for twelve hours.",
    home "首页" "Start",
    closures "办结工单" "Closed cases",
    lists "清单" "Lists",
    sample "随机抽样" "Random sample",
    bulletins "通报" "Bulletins",
    log "检查点" "Checkpoints",
    access "访问记录" "Access log",
    case "工单" "Case",
    case_number "工单号" "Case number",
    case_hint "如 12345:411200202311220001；冒号前为热线，可省略。"
        "Such as 12345:411200202311220001; the hotline before the colon may be left out.",
    look_up "查询" "Look up",
    several_cases "请选择工单" "Which case is meant?",
    several_cases_told "不止一条热线有此工单号。" "More than one hotline has a case of this number.",
    by_case "按工单号查询" "Look up a case",
    by_filter "按条件查询" "Search closed cases",
    filter "查询条件" "What to look for",
    any "不限" "any",
    department "承办单位" "Department",
    hotline "热线" "Hotline",
    case_type "诉求类型" "Type",
    category "诉求分类" "Category",
    category_hint "由宽到窄，以 / 分隔" "From broad to narrow, parted by /",
    region "区域" "Region",
    region_hint "区划代码，或其前 2、4、6 位" "A region's code, or its first 2, 4 or 6 digits",
    class "考核类别" "Class",
    verdict "时限认定" "Verdict",
    rule "适用规则" "Rule",
    anomaly "异常" "Anomaly",
    mark "标记" "Mark",
    published "只看已进入通报的" "Only what a bulletin had published",
    from "起始日期" "From",
    to "截止日期（不含）" "To before",
    search "查询" "Search",
    clear "清除条件" "Clear",
    rows "件办结工单" "closed cases",
    next_page "下一页" "Next page",
    first_page "第一页" "First page",
    goes_on "本页未完，尚有更多。" "There is more after this page.",
    pending "件工单刚刚变动，清单数秒内更新。" "cases were written a moment ago; the list follows within seconds.",
    nothing "没有符合条件的记录。" "Nothing was found.",
    take_away "导出" "Take away",
    take_away_hint "导出全部符合条件的行，不止本页；每次导出均记入访问记录，并写入留痕日志。"
        "All rows that were found, not only this page. Every file is noted in the access log and in the closure log.",
    take_codes "文件中的值为代码，其含义见规则库。" "Values in the files are codes, as in the rulebook.",
    take_sample_hint "把所抽样本导出为文件；种子、样本数和条件记入访问记录，任何人可以据此重抽；留痕日志只存种子的哈希。"
        "The sample as a file. Seed, size and what was looked for are noted in the access log, so that anybody can draw it again; the closure log has a hash of the seed.",
    csv_bom "CSV（供 Excel）" "CSV for Excel",
    marks_told "标记说明" "What the marks mean",
    shares "所列单位按时情况：含剔除与不含剔除" "The departments of this page, with what was excluded and without",
    with_excluded "含剔除（按时/判定）" "With what was excluded (in time / judged)",
    without "不含剔除（按时/判定）" "Without (in time / judged)",
    seed "种子" "Seed",
    seed_hint "任意文字；种子相同、范围相同，则样本相同，任何人可以复核。"
        "Any text. The same seed over the same cases draws the same sample: anybody may draw it again.",
    size "样本数" "Cases",
    plain "等概率抽取（否则临近期限者权重较高）" "Every case weighs the same (else those near their deadline weigh more)",
    draw "抽取" "Draw",
    drawn_from "抽自" "Drawn from",
    method "抽样方法" "How it is drawn",
    method_told "Efraimidis–Spirakis 加权不放回抽样：u 为 SHA-256(种子, 0, 工单) 的前 53 位除以 2 的 53 次方，键为 ln(u)/权重，取键最大者；办结距期限 4 小时内权重 8，24 小时内 4，72 小时内 2，其余 1。"
        "Weighted sampling without replacement after Efraimidis and Spirakis: u is the first 53 bits of SHA-256(seed, 0, case) / 2^53, the key ln(u) / weight, and the greatest keys are drawn. A closing within 4 h of its deadline weighs 8, within 24 h 4, within 72 h 2, any other 1.",
    summary "概要" "Summary",
    timeline "时间轴" "Timeline",
    clocks "时限与计算" "Clocks and their arithmetic",
    held_by "承办责任段" "Who held it",
    facts "事实" "Facts",
    routing "派单决定" "Dispatch decisions",
    alarms "提醒与预警" "Alarms",
    corrections "更正" "Corrections",
    findings "审计要点" "What to look at",
    anomalies "异常" "Anomalies",
    restated "发布后更正" "Changes after publication",
    records "办结记录" "Closure records",
    people "诉求人信息（已脱敏）" "People, masked",
    people_clear "诉求人信息（未脱敏）" "People, not masked",
    people_none "没有诉求人信息。" "Nothing is known of anybody.",
    people_erased "该工单的密钥已销毁，诉求人信息不可恢复。" "The key of this case was destroyed: nobody can read who its people were.",
    people_href "申请查看未脱敏信息" "Ask who they are",
    received "登记时间" "Received",
    closed "办结时间" "Closed",
    due "办结期限" "Due",
    rating "满意度" "Rating",
    rounds "办理轮次" "Rounds",
    state "状态" "State",
    open "在办" "open",
    done "已办结" "closed",
    rulebook "规则库" "Rulebook",
    as_of "截至" "As of",
    refold "规则库已变更，统计尚未按新规则重算本件；以下按现行规则显示。"
        "The rulebook has changed and tallies still hold this case by the older one; what is shown is by the one in force.",
    number "序号" "No.",
    at "计入时间" "Counted",
    when "时间" "At",
    what "事项" "What",
    details "内容" "Details",
    document "文号" "Document",
    claimed "申报时间" "Claimed",
    received_at "接收时间" "Received",
    source "来源" "Source",
    origin "数据位点" "Came from",
    role "角色" "Role",
    span_from "起" "From",
    span_until "止" "Until",
    ended "结束方式" "How it ended",
    by_rule "按规则" "By rule",
    decided "应派往" "Decided for",
    filled "实际派单" "Filled by",
    told_at "发出时间" "Told at",
    level "级别" "Level",
    stage "环节" "Stage",
    to_whom "对象" "To",
    how "情况" "What became of it",
    change "更正内容" "Change",
    before "原值" "Before",
    now "现值" "Now",
    day "日期" "Day",
    measure "计数" "Measure",
    bulletin_numbers "已发布于通报" "In bulletins",
    kind "类型" "Kind",
    written_at "写入时间" "Written",
    meaning "含义" "Meaning",
    member "字段" "Member",
    value "值（脱敏）" "Value, masked",
    value_plain "值" "Value",
    event "事件" "Event",
    take_record "记录" "record",
    take_proof "证明" "proof",
    verify_now "立即核验" "Verify now",
    verify_of "核验工单" "Verification of case",
    verify_sound "全部通过：所列记录都在已签名的日志中，且未被改动；按记录中的规则库重算，结论一致。"
        "All is well: every record is in the log that was signed, unaltered, and folded again under its rulebook comes to the same.",
    verify_waiting "部分记录尚未封存，通常数秒内完成，请稍后再试。"
        "Some records are not sealed yet. That takes seconds: try again.",
    verify_bad "核验不通过，见下表。请保留本页与所列文件，并通知监督部门。"
        "VERIFICATION FAILED, see below. Keep this page and the files, and tell the supervisor.",
    verify_none "该工单还没有办结记录。" "The case has no closure record yet.",
    verify_cut "仅核验最近的若干条记录；全部记录请用 hotline audit export-bundle 导出后核验。"
        "Only the newest records were looked at; for all of them take hotline audit export-bundle.",
    leaf "日志序号" "Leaf",
    tree_size "检查点记录数" "Leaves signed",
    witnesses "见证方" "Witnesses",
    in_log "在日志中" "In the log",
    recomputed "重算" "Folded again",
    yourself "如何自行核验" "How to check it yourself",
    yourself_why "本页由被审计的系统给出，只能说明系统自认无误。要不依赖本系统，请按下列步骤在另一台电脑上核验："
        "This page comes from the system that is audited: it says what the system thinks of itself. To rely on nobody, check it on another computer:",
    yourself_files "下载上表中的“记录”和“证明”两个文件，放在同一目录。"
        "Take the record and its proof from the table above into one directory.",
    yourself_rulebooks "下载所引规则库，解压到同一目录，得到 rulebooks/哈希/…；缺规则库只能核验字节，不能重算时限与结论："
        "Take the rulebooks that they name, and unpack them there, which makes rulebooks/<hash>/…; without them the bytes are checked, and nothing is computed again:",
    yourself_bundle "运维可以一次导出该工单的全部记录、证明和规则库，交给核验的人："
        "An operator takes all records of the case with proofs and rulebooks at once, for whoever checks them:",
    yourself_key "从另一途径（纸质公告、监督部门）取得日志公钥。本系统自称的公钥是："
        "Get the key of the log by another way, on paper or from the supervisor. The system says it is:",
    yourself_run "运行核验程序；无需网络，也无需数据库：" "Run the check; it needs neither network nor database:",
    yourself_others "不想用本项目的程序：证明为 C2SP tlog-proof 格式，可用 Go 的 golang.org/x/mod/sumdb、Python 的 sigstore 与 cryptography，或 openssl 核验。"
        "With programs that are not ours: the proof is a C2SP tlog-proof, which golang.org/x/mod/sumdb, Python's sigstore with cryptography, and openssl can look at.",
    yourself_not "核验能说明：这些字节在已签名的日志中，此后未被改动，结论与规则相符。不能说明：当初填报的内容属实。"
        "What it shows: these bytes are in the signed log, were not altered since, and follow from the rules. What it does not: that what was reported was true.",
    log_name "日志名称" "Name of the log",
    log_key "公钥" "Key",
    log_size "已签名记录数" "Records signed",
    log_signed_at "最近签名" "Signed last",
    log_waiting "等待封存" "Waiting to be sealed",
    log_sound "最近的检查点、检查点文件与签名一致。本页不逐条核对记录，也不看是否有记录未入日志：那要运行 hotline audit check。"
        "The last checkpoint, the checkpoint file and the signature agree. This page does not look at every record, nor whether one is kept out of the log: hotline audit check does.",
    log_behind "有记录等待封存已超过五分钟：封存已停止，或没有运行。"
        "Records have waited for more than five minutes: sealing stands still, or does not run.",
    log_halted "日志已停止签名" "The log stands still",
    log_none "还没有留痕日志。" "There is no closure log yet.",
    log_last "最近的检查点（原文）" "The last checkpoint, as it was signed",
    log_list "检查点" "Checkpoints",
    log_root "根哈希" "Root",
    log_at "签名时间" "Signed",
    log_witness "见证方及其最近签名" "Witnesses and what each signed last",
    log_no_witness "没有配置见证方：数据库与检查点文件一同被换掉时，只有外部留存的检查点能够发现。"
        "No witness is configured: if database and file are both replaced, only a checkpoint kept elsewhere can show it.",
    log_steps "重新开始与继续" "Begun anew, or gone on without the file",
    log_steps_told "下列各项由掌握运维账号者在命令行执行；记录没有记名的栏目，理由只对可查记录者显示。"
        "Whoever has the operator's login did this at the command line; the records have no place for a name, and who may not read records is not shown the reasons.",
    log_before "此前的日志" "The log before",
    who "何人" "Who",
    subject "对象" "Subject",
    why "理由" "Reason",
    export "导出" "File",
    older "更早" "Older",
    bulletin "通报" "Bulletin",
    bulletin_of "表样" "Form",
    period "统计时段" "Period",
    published_at "发布时间" "Published",
    published_by "发布人" "By",
    figures "指标" "Figures",
    figures_hint "分子/分母与率均为发布时冻结的整数所得。" "All are made of the integers that were frozen when it was published.",
    recorded_same "全部数字与发布时写下的存证记录一致；存证记录本身由 hotline audit check 核对。"
        "All figures are those of the record that was written when it was published; the record itself is looked at by hotline audit check.",
    recorded_differs "通报与发布时写下的存证记录不一致：数字或发布戳被改动。请勿采信本页数字；请运维运行 hotline audit check，并通知监督部门。"
        "THE BULLETIN IS NOT WHAT ITS RECORD SAYS: figures or stamp were altered after publication. Do not rely on what this page shows; have hotline audit check run, and tell the supervisor.",
    recorded_gone "本通报应有存证记录，但找不到或无法读取，无从证明数字未被改动。请运维运行 hotline audit check，并通知监督部门。"
        "THE RECORD OF THIS BULLETIN IS GONE or cannot be read, so nothing shows that its figures were not altered. Have hotline audit check run, and tell the supervisor.",
    recorded_never "本通报没有存证记录（发布时尚无存证），无从核对数字是否被改动。"
        "There is no record of this bulletin: it was published before there were any, and nothing shows whether its figures were altered.",
    rank "名次" "Rank",
    drill "按条件查看" "Searches over these days",
    drill_closed "本期办结的工单" "Cases closed in the period",
    drill_met "其中按时" "of these in time",
    drill_late "其中超期" "of these late",
    drill_left "其中超期（未完成即结束）" "of these left late",
    counted "计入的工单" "Cases that it counts",
    counted_hint "每件工单取发布时已收到的事实，按通报所用的规则库重新计算；“其后”是发布后收到的事实使计数有何变化。发布后才计入的工单不在本页。"
        "Each case as it was known when the bulletin was published, counted again by its rulebook; the last column says what has come in since. Cases that count only since then are not on this page.",
    later_facts "发布后收到的事实改变今天的数字，不改变已发布的数字；并列两者的命令："
        "Facts that came later change the figure of today, not the published one; what prints both:",
    counted_so_far "至此合计（分子 / 分母）" "So far (of)",
    counted_published "通报所载（分子 / 分母）" "As published (of)",
    counted_whole "工单已全部列出，合计与通报一致。" "These are all, and their sum is the figure.",
    counted_whole_by_pages "本页是最后一页。从第一页逐页看到这里，工单已全部列出，合计与通报一致；合计随地址传递，由别处给出的地址不算数。"
        "This is the last page. For who came here page by page from the first one these are all, and their sum is the figure; the sum goes along in the address, and one from elsewhere proves nothing.",
    counted_differs "工单已全部列出，合计与通报不一致：有的工单在发布后收到新快照，旧快照未保留，或其时间被改动一年以上；或者所发布的数字被改动。hotline bulletin --stamp 可从台账重算。"
        "These are all, and their sum is not the figure: of some case a newer snapshot has replaced what was known, or its times were corrected by more than a year; or the published figure was altered. hotline bulletin --stamp counts again from the ledger.",
    counted_other "无法逐件列出：计算通报的程序版本、规则库或表样与现有的不同。请用发布时的程序版本，或用 hotline bulletin --stamp。"
        "The cases cannot be listed: another version of the program, another rulebook or form counted them. Take that version, or hotline bulletin --stamp.",
    since "其后" "Since",
    numerator "分子" "Numerator",
    denominator "分母" "Denominator",
    drill_hint "清单按工单最近一次办结的日期和现行规则列出；发布之后办结、重办、更正或改变认定的工单，数目会与冻结的数字不同。“发布后更正”只列规则或程序变更引起的改变，不含后来收到的事实。计入某项指标的工单，请点上表该指标。"
        "Lists go by the last closing of a case and by the rules in force. Cases that were closed, reopened, corrected or ruled on after publication make them differ from the frozen figures. Changes after publication are those by other rules or another program alone, not those by facts that came later. The name of a figure above leads to the cases that it counts.",
    stamp "发布戳" "Stamp",
    all_departments "全部单位" "All departments",
    unmask "查看未脱敏信息" "Who the people of a case are",
    unmask_reason "理由" "Reason",
    unmask_hint "3 至 1000 字节。令牌名称、理由与时间将永久记入访问记录；留痕日志只记何人何时查看了哪件工单，不含理由。理由中请勿写姓名、电话。"
        "3 to 1000 bytes. The name of your token, the reason and the time stay in the access log; the closure log has who saw which case and when, not the reason. Write no names or numbers of people.",
    unmask_do "记录并查看" "Record it and show",
    unmasked "本次查看已记入访问记录。" "This was recorded in the access log.",
    legend_counted "计时" "counted",
    legend_skipped "不计（休息日、非办公时间）" "not counted (rest days, closed hours)",
    legend_held "暂停计时" "held",
    legend_unused "未用的时限" "left over",
    legend_over "超期" "past the deadline",
    legend_due "期限" "deadline",
    legend_stop "停止" "stopped",
    legend_custody "承办" "held the case",
    back "返回：" "Back: ",
}

/// The words of a language.
pub(super) fn of(lang: Lang) -> &'static Words {
    lang.of(&ZH, &EN)
}
