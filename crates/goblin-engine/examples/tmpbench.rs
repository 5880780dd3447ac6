//! temporary
#![allow(clippy::all, clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, missing_docs)]
use futures_util::StreamExt;
use goblin_core::chat::*; use goblin_core::event::*; use goblin_core::id::Ids;
use goblin_engine::*;
use std::time::Instant;
#[tokio::main(flavor="current_thread")]
async fn main(){
  let path=std::path::PathBuf::from(std::env::args().nth(1).unwrap());
  let temp: f32=std::env::args().nth(2).unwrap().parse().unwrap();
  let n: usize=std::env::args().nth(3).unwrap().parse().unwrap();
  let e=Engine::start(EngineOptions{path,name:"m".into(),threads:Some(1),context_tokens:Some(512),sequences:Some(8),..Default::default()},Ids::Random,|_|{}).unwrap();
  e.ready().await.unwrap();
  let h=e.handle();
  let sys="You are a patient goblin who answers questions about caves, gold, mushrooms and lanterns. You never lie, you keep your answers short, and you always say which of the four subjects you talk about. ".repeat(6);
  for round in 0..3 {
    let t=Instant::now();
    let mut v=vec![];
    for i in 0..n {
      let mut r=ChatRequest{model:"m".into(),messages:vec![Message::text(Role::System,format!("{round} {sys}")),Message::text(Role::User,format!("Question {i}: tell me a long story about gold number {i}."))],..Default::default()};
      r.sampling.temperature=Some(temp); r.sampling.max_tokens=Some(64); r.sampling.seed=Some(1); r.sampling.logit_bias=vec![];
      let s=(h.chat)(r).await.unwrap();
      v.push(async move{ let t=Instant::now(); let mut s=s; let mut first=None; let mut u=Usage::default(); while let Some(ev)=s.next().await{ match ev.unwrap().parsed{Parsed::Text{..}=>{first.get_or_insert(t.elapsed());},Parsed::Usage(x)=>u=x,_=>{}}} (first.unwrap(),t.elapsed(),u)});
    }
    let out=futures_util::future::join_all(v).await;
    let toks:u32=out.iter().map(|o|o.2.completion_tokens).sum();
    let st=(h.status)().await;
    println!("n={n} total {:.2}s tokens {toks} agg {:.1} tok/s ttft0 {:.2} per-stream decode {:.1?} prefill {:.0?} prompt {} cached {:?}",t.elapsed().as_secs_f64(),toks as f64/t.elapsed().as_secs_f64(),out[0].0.as_secs_f64(),st.decode_tokens_per_second.unwrap_or(0.),st.prefill_tokens_per_second.unwrap_or(0.),out[0].2.prompt_tokens,out.iter().map(|o|o.2.cached_tokens).collect::<Vec<_>>());
  }
}
